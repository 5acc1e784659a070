package job_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/store/storetest"
	"github.com/promptd/promptd/internal/value"
)

// desk takes jobs for a store in memory. Its pipeline knows one schema and one template, and refuses prompts that say so.
type desk struct {
	*job.Service
	store *storetest.JobModel

	mu        sync.Mutex
	announced []broker.Message
	made      int
}

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func newDesk() *desk { return deskOn(func(m *storetest.JobModel) job.Store { return m }) }

// forgetful keeps no items of uploads: the model would look at each for each.
type forgetful struct{ *storetest.JobModel }

// Append keeps nothing.
func (forgetful) Append(context.Context, job.ID, []job.Item) error { return nil }

// deskOn makes a desk whose store is made of a model.
func deskOn(store func(*storetest.JobModel) job.Store) *desk {
	d := &desk{store: storetest.NewJobModel(func() time.Time { return now })}
	d.Service = job.NewService(job.Config{
		Store: store(d.store), Pipeline: d, Defaults: defaults, Bell: &job.Bell{}, Announce: d, Targets: d, Trace: func(context.Context) string { return "00-1-2-01" },
		NewID: func() string {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.made++
			return fmt.Sprintf("00000000-0000-7000-8000-%012d", d.made)
		},
	})
	return d
}

func defaults() prompt.Defaults { return prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4} }

// Examine refuses what says so, and pins what is known.
func (d *desk) Examine(_ context.Context, _ *key.Caller, q prompt.Prompt) (p pipeline.Pinned, err error) {
	if q.Text == "refuse me" {
		return p, fault.Invalid("/schema", "reference", "there is no schema of that name", "")
	}
	if q.Options.Timeout != 10*time.Minute && q.Options.Timeout != time.Second {
		return p, fmt.Errorf("the time limit is %s", q.Options.Timeout)
	}
	if q.SchemaRef != "" {
		p.Schema = strings.TrimSuffix(q.SchemaRef, "@3") + "@3"
	}
	if q.Template != nil {
		p.Template, p.Schema = strings.TrimSuffix(q.Template.Ref, "@7")+"@7", "bound@2"
	}
	return p, nil
}

// Aim knows one webhook, and makes a secret where there is none.
func (d *desk) Aim(_ context.Context, _ key.TeamID, w job.Webhook) (job.Webhook, string, error) {
	switch {
	case w.Endpoint == "known":
		return w, "", nil
	case w.Endpoint != "":
		return w, "", fault.Invalid("/webhook/id", "exists", "there is no webhook of that id", "")
	case w.Secret == "":
		w.Secret = "whsec_made"
		return w, w.Secret, nil
	}
	return w, "", nil
}

// Announce notes messages.
func (d *desk) Announce(m ...broker.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.announced = append(d.announced, m...)
}

func decoded(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// submit hands a body in.
func (d *desk) submit(t *testing.T, body, name string) (job.Receipt, error) {
	t.Helper()
	draft, err := job.ReadSubmission(decoded(t, body), defaults(), now)
	if err != nil {
		return job.Receipt{}, err
	}
	return d.Submit(t.Context(), job.Order{Who: key.Anyone(), Idempotency: name, Hash: sha256.Sum256([]byte(body))}, draft)
}

// lines hands lines in.
func (d *desk) lines(t *testing.T, text, name string, who *key.Caller, admit func(int) error) (job.Receipt, error) {
	t.Helper()
	if admit == nil {
		admit = func(int) error { return nil }
	}
	return d.Upload(t.Context(), job.Upload{
		Order: job.Order{Who: who, Idempotency: name}, Lines: strings.NewReader(text), LineBytes: 1 << 10, Sum: sha256.New(),
		Admit: func(_ context.Context, n int) error { return admit(n) },
	})
}

// kept reads a job and its items back.
func (d *desk) kept(t *testing.T, id job.ID) (job.Job, []job.Item) {
	t.Helper()
	j, err := d.store.Job(t.Context(), key.AllTeams(), id)
	if err != nil {
		t.Fatal(err)
	}
	items, err := d.store.Items(t.Context(), key.AllTeams(), id, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	return j, items
}

func TestASinglePromptIsKeptAsItWasSentAndPinned(t *testing.T) {
	t.Parallel()
	d := newDesk()
	r, err := d.submit(t, `{"prompt":"x","schema":"invoice","options":{"timeout_ms":1000},"priority":"high","urgency":"low","webhook":{"url":"https://example.com"},"metadata":{"a":1},
		"run_at":"2026-11-27T12:00:00+01:00","deadline":"2026-11-28T00:00:00Z"}`, "")
	if err != nil {
		t.Fatal(err)
	}
	j, items := d.kept(t, r.Job.ID)
	want := job.Job{
		ID: r.Job.ID, Team: key.DefaultTeam, State: job.Pending, Priority: job.High, Urgency: job.Whenever, Request: []byte(`{"prompt":"x","schema":"invoice@3","options":{"timeout_ms":1000}}`),
		Metadata: []byte(`{"a":1}`), Webhook: job.Webhook{URL: "https://example.com", Secret: "whsec_made"}, Progress: job.Progress{Total: 1}, Run: 1,
		RunAt: now.Add(23 * time.Hour), Deadline: now.Add(36 * time.Hour), CreatedAt: now, Trace: "00-1-2-01",
	}
	if diff := cmp.Diff(want, j); diff != "" {
		t.Errorf("the job (-want +got):\n%s", diff)
	}
	if len(items) != 1 || items[0].Request != nil || r.Secret != "whsec_made" || len(d.announced) != 0 {
		t.Errorf("got items %+v, secret %q, messages %v: it is not due", items, r.Secret, d.announced)
	}
	const answer = `{"job_id":"00000000-0000-7000-8000-000000000001","status":"pending","created_at":"2026-11-26T12:00:00.000Z","webhook":{"url":"https://example.com","secret":"whsec_made"},` +
		`"links":{"self":"/v1/jobs/00000000-0000-7000-8000-000000000001","events":"/v1/jobs/00000000-0000-7000-8000-000000000001/events","results":"/v1/jobs/00000000-0000-7000-8000-000000000001/results"}}`
	if got := string(r.Append(nil)); got != answer {
		t.Errorf("the receipt is\n%s", got)
	}
}

func TestItemsAreKeptWithWhatTheyNamePinned(t *testing.T) {
	t.Parallel()
	for name, hand := range map[string]func(*desk) (job.Receipt, error){
		"json": func(d *desk) (job.Receipt, error) {
			return d.submit(t, `{"items":[{"id":"a","prompt":"1"},{"prompt":"2","schema":"own@1"},{"parameters":{"p":1}},{"prompt":"4","schema":{"type":"object"}}],"schema":"invoice","template":"t"}`, "")
		},
		"lines": func(d *desk) (job.Receipt, error) {
			return d.lines(t, `{"schema":"invoice","template":"t"}`+"\n"+`{"id":"a","prompt":"1"}`+"\n\n"+`{"prompt":"2","schema":"own@1"}`+"\r\n"+`{"parameters":{"p":1}}`+"\n"+`{"prompt":"4","schema":{"type":"object"}}`,
				"", key.Anyone(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk()
			r, err := hand(d)
			if err != nil {
				t.Fatal(err)
			}
			j, items := d.kept(t, r.Job.ID)
			var got []string
			for _, i := range items {
				got = append(got, i.Name+" "+string(i.Request))
			}
			want := []string{
				`a {"id":"a","prompt":"1","schema":"invoice@3"}`, `1 {"prompt":"2","schema":"own@1@3"}`, `2 {"parameters":{"p":1},"template":"t@7","schema":"bound@2"}`, `3 {"prompt":"4","schema":{"type":"object"}}`,
			}
			if diff := cmp.Diff(want, got); diff != "" || !j.Batch || string(j.Request) != `{"schema":"invoice","template":"t"}` {
				t.Errorf("%s, batch %t (-want +got):\n%s", j.Request, j.Batch, diff)
			}
			if len(d.announced) != 4 || d.announced[0].Queue != broker.Normal || d.announced[0].Check() != nil || d.announced[0] == d.announced[1] {
				t.Errorf("announced %v", d.announced)
			}
		})
	}
}

func TestWhatIsWrongWithAJobIsNamed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                                   ` type`,
		`{}`:                                   `/prompt required`,
		`{"prompt":"x","webhook":{}}`:          `/webhook/url required`,
		`{"prompt":"x","webhook":{"id":"no"}}`: `/webhook/id exists`,
		`{"prompt":"x","webhook":{"id":"a","url":"https://x"}}`:                                         `/webhook/url exclusive`,
		`{"prompt":"x","webhook":{"id":"a","secret":"s"}}`:                                              `/webhook/secret exclusive`,
		`{"prompt":"x","webhook":"https://x"}`:                                                          `/webhook type`,
		`{"prompt":"x","webhook":{"url":"https://x","sekret":"s"}}`:                                     `/webhook/sekret unknown_field`,
		`{"prompt":"x","priority":"urgent"}`:                                                            `/priority enum`,
		`{"prompt":"x","urgency":"high"}`:                                                               `/urgency enum`,
		`{"prompt":"x","run_at":"tomorrow"}`:                                                            `/run_at format`,
		`{"prompt":"x","run_at":5}`:                                                                     `/run_at type`,
		`{"prompt":"x","run_at":"2026-12-26T12:00:01Z"}`:                                                `/run_at range`,
		`{"prompt":"x","deadline":"2026-11-26T11:00:00Z"}`:                                              `/deadline range`,
		`{"prompt":"x","deadline":"2027-11-26T11:00:00Z"}`:                                              `/deadline range`,
		`{"prompt":"x","run_at":"2026-11-27T12:00:00Z","deadline":"2026-11-27T12:00:00Z"}`:              `/deadline range`,
		`{"prompt":"x","metadata":[]}`:                                                                  `/metadata type`,
		`{"prompt":"x","metadata":{"a":"` + strings.Repeat("x", job.MostMetadata) + `"}}`:               `/metadata length`,
		`{"prompt":"x","stream":true}`:                                                                  `/stream unsupported`,
		`{"state":"x","prompt":"y"}`:                                                                    `/state unsupported`,
		`{"prompt":"x","priorty":"low"}`:                                                                `/priorty unknown_field`,
		`{"prompt":"x","items":[]}`:                                                                     `/prompt exclusive`,
		`{"items":{}}`:                                                                                  `/items type`,
		`{"items":[7,{"prompt":"x"}]}`:                                                                  `/items/0 type`,
		`{"items":[{"prompt":"x","id":"a"},{"prompt":"y","id":"a"}]}`:                                   `/items/1/id unique`,
		`{"items":[{"prompt":"x","id":"1"},{"prompt":"y"}]}`:                                            `/items/1/id unique`,
		`{"items":[{"prompt":"x","id":""}]}`:                                                            `/items/0/id length`,
		`{"items":[{"prompt":"x","state":"s"}]}`:                                                        `/items/0/state unsupported`,
		`{"items":[{"prompt":"x","stream":false}]}`:                                                     `/items/0/stream unsupported`,
		`{"items":[{"prompt":"x"},{},{"prompt":"y","options":{"max_tokens":0}}]}`:                       `/items/1/prompt required; /items/2/options/max_tokens range`,
		`{"items":[{"prompt":"x"}],"options":{"max_tokens":0}}`:                                         `/options/max_tokens range`,
		`{"prompt":"refuse me"}`:                                                                        `/schema reference`,
		`{"items":[{"prompt":"refuse me"},{"prompt":"x"},{"prompt":"refuse me","schema":"own"}]}`:       `/items/0/schema reference; /items/2/schema reference`,
		`{"items":[{"prompt":"refuse me"},{"prompt":"x"},{"prompt":"refuse me"}],"schema":"for-all"}`:   `/schema reference; /schema reference`,
		`{"items":[` + strings.Repeat(`{},`, 50) + `{}]}`:                                               strings.TrimSuffix(manyFaults(), "; "),
		`{"items":[` + strings.Repeat(`{"prompt":"refuse me","schema":"own"},`, 50) + `{"prompt":""}]}`: ``,
	} {
		d := newDesk()
		_, err := d.submit(t, body, "")
		f := fault.Of(err)
		if f == nil || f.Code != fault.InvalidRequest {
			t.Errorf("%.80s: got %v", body, err)
			continue
		}
		var got []string
		for _, e := range f.Entries {
			got = append(got, e.Pointer+" "+e.Rule)
		}
		if text := strings.Join(got, "; "); want != "" && text != want || len(got) > 20 {
			t.Errorf("%.80s: got %s, want %s", body, text, want)
		}
		if list, _, _ := d.store.Jobs(t.Context(), key.AllTeams(), job.Filter{Limit: 1}); len(list) != 0 || len(d.announced) != 0 {
			t.Errorf("%.80s: something was accepted", body)
		}
	}
}

func manyFaults() string {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, "/items/%d/prompt required; ", i)
	}
	return b.String()
}

func TestLinesThatAreWrongAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    ` empty`,
		"\n\n":                                ` empty`,
		"{}":                                  `/items minItems`,
		"{\n{}":                               `line 1: `,
		"7\n{}":                               `line 1: `,
		`{"items":[]}` + "\n{}":               `/items exclusive: line 1: `,
		`{"prompt":"x"}` + "\n{}":             `/prompt exclusive: line 1: `,
		`{"priority":"x"}` + "\n{}":           `/priority enum: line 1: `,
		`{"options":{"max_tokens":0}}` + "\n": `/options/max_tokens range: line 1: `,
		"{}\n" + `{"prompt":"x"}` + "\n\n{\n" + `{"prompt":"refuse me","schema":"own"}`: `/items/1`,
		"{}\n" + `{"prompt":"refuse me"}`:                                               `/items/0/schema reference: line 2: `,
	} {
		d := newDesk()
		_, err := d.lines(t, text, "", key.Anyone(), nil)
		f := fault.Of(err)
		if f == nil || f.Code != fault.InvalidRequest || len(f.Entries) == 0 {
			t.Errorf("%q: got %v", text, err)
			continue
		}
		e := f.Entries[0]
		if got := e.Pointer + " " + e.Rule + ": " + e.Message; !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if _, err := newDesk().lines(t, "{}\n"+`{"prompt":"`+strings.Repeat("x", 2000)+`"}`, "", key.Anyone(), nil); !fault.Is(err, fault.PayloadTooLarge) {
		t.Errorf("a long line: %v", err)
	}
}

func many(n int) string {
	var b strings.Builder
	b.WriteString("{}\n")
	for i := range n {
		fmt.Fprintf(&b, `{"prompt":"%d"}`+"\n", i)
	}
	return b.String()
}

func TestALargeUploadIsAllThereOrNotAtAll(t *testing.T) {
	t.Parallel()
	d := newDesk()
	asked := 0
	r, err := d.lines(t, many(1000), "", key.Anyone(), func(n int) error { asked += n; return nil })
	if err != nil || asked != 1000 || r.Job.Progress.Total != 1000 {
		t.Fatalf("got %+v, %v, asked for %d", r, err, asked)
	}
	if j, items := d.kept(t, r.Job.ID); j.State != job.Pending || len(items) != 500 || string(items[300].Request) != `{"prompt":"300"}` {
		t.Errorf("got %s with %d items", j.State, len(items))
	}
	for name, text := range map[string]string{
		"the last line is wrong": many(1000) + `{"prompt":"refuse me"}`,
		"too many":               many(job.MostItems + 1),
	} {
		d := deskOn(func(m *storetest.JobModel) job.Store { return forgetful{m} })
		if _, err := d.lines(t, text, "", key.Anyone(), nil); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
		if list, _, err := d.store.Jobs(t.Context(), key.AllTeams(), job.Filter{Limit: 1}); len(list) != 0 || err != nil {
			t.Errorf("%s: a job is seen: %v, %v", name, list, err)
		}
	}
	refused := fault.New(fault.RateLimitExceeded, "no")
	if _, err := d.lines(t, many(300), "", key.Anyone(), func(int) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want the limit's word", err)
	}
	limited := key.Anyone()
	limited.RateLimitPerHour = 10
	if _, err := d.lines(t, many(300), "", limited, func(n int) error {
		switch n {
		case 1: // Before anything is read.
			return nil
		case 11:
		default:
			t.Errorf("asked for %d", n)
		}
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("got %v, want the limit's word as soon as it can be said", err)
	}
}

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	t.Parallel()
	d := newDesk()
	first, err := d.submit(t, `{"prompt":"x","webhook":{"url":"https://x"}}`, "k")
	if err != nil || first.Again {
		t.Fatal(first, err)
	}
	again, err := d.submit(t, `{"prompt":"x","webhook":{"url":"https://x"}}`, "k")
	if err != nil || !again.Again || again.Job.ID != first.Job.ID || again.Secret != first.Secret || len(d.announced) != 1 {
		t.Errorf("got %+v, %v, announced %v", again, err, d.announced)
	}
	if _, err := d.submit(t, `{"prompt":"y"}`, "k"); !fault.Is(err, fault.Conflict) {
		t.Errorf("another body: %v", err)
	}
	for _, n := range []int{3, 600} {
		name := fmt.Sprint("lines ", n)
		one, err := d.lines(t, many(n), name, key.Anyone(), nil)
		two, errAgain := d.lines(t, many(n), name, key.Anyone(), nil)
		_, errOther := d.lines(t, many(n+1), name, key.Anyone(), nil)
		if err != nil || errAgain != nil || two.Job.ID != one.Job.ID || !two.Again || !fault.Is(errOther, fault.Conflict) {
			t.Errorf("%s: %v, %v, %+v, %v", name, err, errAgain, two, errOther)
		}
	}
}

// TestSubmissionsTogetherAreEachTheirOwn: what comes at the same time shares a transaction and nothing else.
func TestSubmissionsTogetherAreEachTheirOwn(t *testing.T) {
	t.Parallel()
	d := newDesk()
	var all sync.WaitGroup
	ids := make([]job.ID, 200)
	for n := range ids {
		all.Go(func() {
			r, err := d.submit(t, fmt.Sprintf(`{"prompt":"%d"}`, n%100), fmt.Sprint("k", n%100))
			if err != nil {
				t.Error(err)
				return
			}
			if j, _ := d.kept(t, r.Job.ID); string(j.Request) != fmt.Sprintf(`{"prompt":"%d"}`, n%100) {
				t.Errorf("submission %d is %s", n, j.Request)
			}
			ids[n] = r.Job.ID
		})
	}
	all.Wait()
	for n := range 100 {
		if ids[n] != ids[n+100] {
			t.Errorf("the two of key %d are %s and %s", n, ids[n], ids[n+100])
		}
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 100 {
		t.Errorf("there are %d jobs, want 100", len(slices.Compact(ids)))
	}
}

func FuzzReadSubmission(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"x","run_at":"2026-11-27T12:00:00Z","webhook":{"url":"https://x"},"metadata":{}}`, `{"items":[{"prompt":"x","id":"a"}],"schema":{},"template":"t"}`,
		`{"items":[{"state":"s"}],"deadline":null}`, `{"messages":[{"role":"user","content":"x"}],"urgency":"low"}`, `{"items":null}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.DecodeString(text, value.Limits{})
		if err != nil {
			return
		}
		d, err := job.ReadSubmission(v, defaults(), now)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if d.Prompts() < 1 || d.Job.Priority.String() == "" || d.Job.RunAt.Sub(now) > job.MostAhead {
			t.Fatalf("%s: got %+v", text, d.Job)
		}
		again, err := value.Decode(d.Job.Request, value.Limits{})
		if err != nil || again.Kind() != value.KindObject {
			t.Fatalf("%s is kept as %s", text, d.Job.Request)
		}
	})
}

func FuzzUpload(f *testing.F) {
	for _, seed := range []string{many(3), "{}\n{}", "{\"schema\":{}}\n{\"prompt\":\"x\"}\r\n\r\n", "\n\n\n", "{}\n\xff", "{}\n" + strings.Repeat("x", 2000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := newDesk()
		r, err := d.lines(t, text, "", key.Anyone(), nil)
		list, _, failed := d.store.Jobs(t.Context(), key.AllTeams(), job.Filter{Limit: 10})
		if failed != nil {
			t.Fatal(failed)
		}
		switch {
		case err != nil && (len(list) != 0 || fault.Is(err, fault.Internal)):
			t.Fatalf("%q: %v, and %d jobs", text, err, len(list))
		case err == nil && (len(list) != 1 || r.Job.Progress.Total == 0):
			t.Fatalf("%q: got %+v, and %d jobs", text, r.Job, len(list))
		}
	})
}

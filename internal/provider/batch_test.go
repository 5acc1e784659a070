package provider_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// batchForm is a service with batches.
type batchForm struct {
	dialect dialect.Batcher
	base    string
	header  string
	labels  bool
	uploads bool
}

func batchForms() map[string]batchForm {
	return map[string]batchForm{
		"openai":           {openai.New(), "/v1", "Authorization", true, true},
		"openai-responses": {responses.New(), "/v1", "Authorization", true, true},
		"anthropic":        {anthropic.New(), "", "X-Api-Key", false, false},
		"gemini":           {gemini.New(), "/v1beta", "X-Goog-Api-Key", true, false},
	}
}

// eachBatchForm runs a test over every service with batches.
func eachBatchForm(t *testing.T, test func(t *testing.T, f batchForm)) {
	t.Helper()
	for name, f := range batchForms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

const batchKey = "scriptedkey0123456789"

// open starts a service and an account at it.
func (f batchForm) open(t *testing.T, script providertest.Batches, change func(*providertest.Settings)) (*providertest.Server, *provider.Provider) {
	t.Helper()
	settings := providertest.Settings{Seed: 1, Key: batchKey, Batches: &script}
	if change != nil {
		change(&settings)
	}
	service := providertest.New(t, settings)
	key := batchKey
	if f.header == "Authorization" {
		key = "Bearer " + key
	}
	p, err := provider.New(provider.Account{
		Name: "p", Dialect: f.dialect, BaseURL: service.URL() + f.base, Batches: true,
		Credentials: []provider.Credential{{Header: f.header, Value: key}}, Models: []provider.Model{batchModel()},
	}, provider.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return service, p
}

func batchModel() provider.Model {
	return provider.Model{Name: "m-x", Price: provider.Price{Known: true, Input: 1_000_000_000, CachedInput: 1_000_000_000, CacheWrite: 1_000_000_000, Output: 3_000_000_000}}
}

// batchEntries are so many calls with a schema.
func batchEntries(t *testing.T, p *provider.Provider, n int) [][]byte {
	t.Helper()
	schema, err := value.DecodeString(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m := batchModel()
	var list [][]byte
	for i := range n {
		e, err := p.BatchEntry(&m, fmt.Sprintf("id-%d", i), dialect.Call{
			Messages:  []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: fmt.Sprintf("Order %d.", i)}}}},
			MaxTokens: 100, Output: dialect.Output{Mode: lowering.Strict, Name: "result", Schema: schema},
		})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// submit uploads and creates a batch.
func submit(t *testing.T, p *provider.Provider, n int) provider.Batch {
	t.Helper()
	entries := batchEntries(t, p, n)
	b, err := p.Upload(t.Context(), provider.Batch{Batch: dialect.Batch{Label: "b-1", Model: "m-x"}}, entries)
	if err == nil {
		b, err = p.CreateBatch(t.Context(), b, entries)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// awaitBatch looks until the batch has ended; the script ends it by looks.
func awaitBatch(t *testing.T, p *provider.Provider, b provider.Batch) provider.Batch {
	t.Helper()
	for range 10 {
		var err error
		if b, err = p.LookAtBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if b.State.Ended() {
			return b
		}
	}
	t.Fatalf("the batch is still %s after ten looks", b.State)
	return b
}

// results fetches what there is, by id.
func results(t *testing.T, p *provider.Provider, b provider.Batch) (map[string]dialect.BatchResult, error) {
	t.Helper()
	got := map[string]dialect.BatchResult{}
	for r, err := range p.BatchResults(t.Context(), b) {
		if err != nil {
			return got, err
		}
		got[r.ID] = r
	}
	return got, nil
}

func TestABatchFromUploadToItsResults(t *testing.T) {
	t.Parallel()
	eachBatchForm(t, func(t *testing.T, f batchForm) {
		service, p := f.open(t, providertest.Batches{Looks: 2}, nil)
		b := submit(t, p, 3)
		if b.ID == "" || b.Provider != "p" || b.Via == "" || b.State.Ended() || f.uploads != (b.InputFile != "") {
			t.Fatalf("the batch that was made is %+v", b)
		}
		first, err := p.LookAtBatch(t.Context(), b)
		if err != nil || first.State != dialect.BatchRunning && first.State != dialect.BatchQueued {
			t.Fatalf("it is %s (%v) at once, want running", first.State, err)
		}
		b = awaitBatch(t, p, b)
		if b.State != dialect.BatchDone {
			t.Fatalf("it ended as %s", b.State)
		}
		got, err := results(t, p, b)
		if err != nil || len(got) != 3 {
			t.Fatalf("%d results, %v", len(got), err)
		}
		m := batchModel()
		for id, r := range got {
			a, err := provider.BatchAttempt("p", &m, &r, b.CreatedAt)
			if err != nil || r.Reply.Stop != dialect.StopComplete || !a.Batch || a.Outcome != dialect.OK || !a.Usage.Known {
				t.Errorf("%s: %+v (%v)", id, r, err)
			}
			if half := m.Price.Of(a.Usage); a.Cost.Nano < half.Nano/2 || a.Cost.Nano > half.Nano/2+1 {
				t.Errorf("%s costs %d, a direct call %d", id, a.Cost.Nano, half.Nano)
			}
		}
		if err := p.ForgetBatch(t.Context(), b); err != nil {
			t.Error(err)
		}
		if made := service.MadeBatches(); len(made) != 1 || !made[0].Forgotten || made[0].Answered != 3 {
			t.Errorf("the service has %+v", made)
		}
	})
}

func TestCallsOfABatchFailApart(t *testing.T) {
	t.Parallel()
	fates := []providertest.BatchLine{
		providertest.LineRight, providertest.LineFailed, providertest.LineExpired, providertest.LineCancelled, providertest.LineMissing, providertest.LineMalformed, providertest.LineTwice,
	}
	eachBatchForm(t, func(t *testing.T, f batchForm) {
		_, p := f.open(t, providertest.Batches{Line: func(n int, _ string) providertest.BatchLine { return fates[n] }}, nil)
		got, err := results(t, p, awaitBatch(t, p, submit(t, p, len(fates))))
		if err != nil {
			t.Fatal(err)
		}
		for n, fate := range fates {
			r, there := got[fmt.Sprintf("id-%d", n)]
			var ok bool
			switch fate {
			case providertest.LineRight, providertest.LineTwice:
				ok = there && r.Err == nil && r.Reply.Text != ""
			case providertest.LineFailed:
				ok = there && r.Err != nil && r.Err.Outcome != dialect.OK
			case providertest.LineExpired, providertest.LineCancelled:
				ok = there && r.Err != nil
			default:
				ok = !there
			}
			if !ok {
				t.Errorf("a call that is %s: there %t, %+v", fate, there, r)
			}
		}
	})
}

func TestABatchEndsInEveryWay(t *testing.T) {
	t.Parallel()
	for end, want := range map[providertest.BatchEnd]dialect.BatchState{
		providertest.BatchFailed: dialect.BatchFailed, providertest.BatchExpired: dialect.BatchExpired, providertest.BatchCancelled: dialect.BatchCancelled,
	} {
		t.Run(string(end), func(t *testing.T) {
			t.Parallel()
			eachBatchForm(t, func(t *testing.T, f batchForm) {
				_, p := f.open(t, providertest.Batches{End: end}, nil)
				b := awaitBatch(t, p, submit(t, p, 4))
				want := want
				if f.dialect.Name() == "anthropic" { // Its batches end in one way, and results say the rest.
					want = dialect.BatchDone
				}
				if b.State != want {
					t.Errorf("it is %s, want %s", b.State, want)
				}
				got, err := results(t, p, b)
				answered := 0
				for _, r := range got {
					if r.Err == nil {
						answered++
					}
				}
				if wanted := map[bool]int{true: 0, false: 2}[end == providertest.BatchFailed]; err != nil || answered != wanted {
					t.Errorf("%d of %d results have a reply, want %d (%v)", answered, len(got), wanted, err)
				}
			})
		})
	}
}

func TestABatchWhoseCreationWasNotAnsweredIsFoundByItsLabel(t *testing.T) {
	t.Parallel()
	eachBatchForm(t, func(t *testing.T, f batchForm) {
		_, p := f.open(t, providertest.Batches{Fault: func(step string, n int) providertest.Fault {
			if step == "create" && n == 0 {
				return providertest.CutBeforeHeaders
			}
			return ""
		}}, nil)
		entries := batchEntries(t, p, 2)
		b, err := p.Upload(t.Context(), provider.Batch{Batch: dialect.Batch{Label: "b-lost", Model: "m-x"}}, entries)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.CreateBatch(t.Context(), b, entries); err == nil {
			t.Fatal("the creation was answered")
		}
		for range 5 { // Newer ones, over more than a page.
			other := b
			other.Label = "b-other"
			if _, err := p.CreateBatch(t.Context(), other, entries); err != nil {
				t.Fatal(err)
			}
		}
		found, ok, err := p.FindBatch(t.Context(), b, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil || ok != f.labels || ok != (found.ID != "") {
			t.Fatalf("found %t (%v): %+v", ok, err, found)
		}
		if !ok {
			return
		}
		if got, err := results(t, p, awaitBatch(t, p, found)); err != nil || len(got) != 2 {
			t.Errorf("%d results, %v", len(got), err)
		}
		if _, ok, err = p.FindBatch(t.Context(), b, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)); ok || err != nil {
			t.Errorf("a batch from before the search's time is found: %t, %v", ok, err)
		}
		b.Label = "b-nobody"
		if _, ok, err = p.FindBatch(t.Context(), b, time.Time{}); ok || err != nil {
			t.Errorf("a label that nobody has is found: %t, %v", ok, err)
		}
	})
}

func TestFaultsOfEveryStep(t *testing.T) {
	t.Parallel()
	steps := []string{"upload", "create", "look", "fetch", "cancel", "forget"}
	faults := map[providertest.Fault][]dialect.Outcome{
		providertest.RateLimited:      {dialect.RateLimited},
		providertest.ServerError:      {dialect.OverloadedProvider},
		providertest.Unauthorized:     {dialect.Auth},
		providertest.CutBeforeHeaders: {dialect.Connection},
		providertest.CutBody:          {dialect.Connection},
		providertest.NotJSON:          {dialect.Unknown, dialect.Connection},
	}
	eachBatchForm(t, func(t *testing.T, f batchForm) {
		for fault, want := range faults {
			for _, step := range steps {
				if step == "upload" && !f.uploads || step == "fetch" && f.dialect.Name() == "gemini" {
					continue
				}
				_, p := f.open(t, providertest.Batches{Fault: func(at string, n int) providertest.Fault {
					if at == step && n == 0 {
						return fault
					}
					return ""
				}}, nil)
				err := walk(t.Context(), t, p)
				var e *dialect.Error
				switch {
				case fault == providertest.NotJSON && (step == "cancel" || step == "forget"),
					fault == providertest.CutBody && (step == "cancel" || step == "forget"): // Nobody reads what they answer.
					if err != nil {
						t.Errorf("%s at %s: %v", fault, step, err)
					}
				case fault == providertest.CutBeforeHeaders && err == nil && (step == "look" || step == "fetch"): // What changes nothing is asked again by itself.
				case fault == providertest.NotJSON && step == "fetch" && err == nil: // A line that is no result: every call is without one.
				case !errors.As(err, &e):
					t.Errorf("%s at %s is %v, want a *dialect.Error", fault, step, err)
				case !slices.Contains(want, e.Outcome):
					t.Errorf("%s at %s is %s, want %v", fault, step, e.Outcome, want)
				}
			}
		}
	})
}

// walk goes through all steps and gives the first error.
func walk(ctx context.Context, t *testing.T, p *provider.Provider) error {
	t.Helper()
	entries := batchEntries(t, p, 2)
	b, err := p.Upload(ctx, provider.Batch{Batch: dialect.Batch{Label: "b-1", Model: "m-x"}}, entries)
	if err != nil {
		return err
	}
	if b, err = p.CreateBatch(ctx, b, entries); err != nil {
		return err
	}
	if b, err = p.LookAtBatch(ctx, b); err != nil {
		return err
	}
	for _, err := range p.BatchResults(ctx, b) {
		if err != nil {
			return err
		}
	}
	return cmp.Or(p.CancelBatch(ctx, b), p.ForgetBatch(ctx, b))
}

func TestABatchThatIsCancelled(t *testing.T) {
	t.Parallel()
	eachBatchForm(t, func(t *testing.T, f batchForm) {
		service, p := f.open(t, providertest.Batches{End: providertest.BatchNever}, nil)
		b := submit(t, p, 4)
		if err := p.CancelBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b = awaitBatch(t, p, b)
		if got, err := results(t, p, b); err != nil || len(got) != 4 || !service.MadeBatches()[0].Cancelled {
			t.Errorf("%d results, %v", len(got), err)
		}
	})
}

func TestABatchGoesOnWithItsOwnCredential(t *testing.T) {
	t.Parallel()
	f := batchForms()["openai"]
	service := providertest.New(t, providertest.Settings{Seed: 1, Key: "key-of-two-22222", Batches: &providertest.Batches{}})
	account := func(keys ...string) *provider.Provider {
		a := provider.Account{Name: "p", Dialect: f.dialect, BaseURL: service.URL() + f.base, Batches: true, Models: []provider.Model{batchModel()}}
		for _, k := range keys {
			a.Credentials = append(a.Credentials, provider.Credential{Header: "Authorization", Value: "Bearer " + k})
		}
		p, err := provider.New(a, provider.Transport())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	b := submit(t, account("key-of-two-22222"), 1)
	// Another process, whose first credential is another organisation's.
	awaitBatch(t, account("key-of-one-11111", "key-of-two-22222"), b)
	if _, err := account("key-of-one-11111").LookAtBatch(t.Context(), b); err == nil {
		t.Error("a credential that is not the batch's was let in")
	}
}

func TestAnAccountWithoutBatches(t *testing.T) {
	t.Parallel()
	p, err := provider.New(provider.Account{Name: "p", Dialect: openai.New(), BaseURL: "http://127.0.0.1:1", Models: []provider.Model{batchModel()}}, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Batcher(); ok {
		t.Error("the account has batches")
	}
	var e *dialect.Error
	if _, err := p.LookAtBatch(t.Context(), provider.Batch{Batch: dialect.Batch{ID: "batch_1"}}); !errors.As(err, &e) || e.Outcome != dialect.BadRequest {
		t.Errorf("the error is %v", err)
	}
}

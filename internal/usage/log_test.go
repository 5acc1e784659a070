package usage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// pass lets the time of a bubble pass.
func pass(d time.Duration) { <-time.After(d) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a store that can be slow, fail, or keep a batch and fail nevertheless.
type disk struct {
	mu      sync.Mutex
	kept    []usage.Record
	batches []int
	at      []time.Time
	// fail gives the error of the next calls, one after the other; block holds every call until it is closed or the context ends.
	fail  []error
	block chan struct{}
}

func (d *disk) Append(ctx context.Context, batch []usage.Record) error {
	d.mu.Lock()
	block := d.block
	d.at = append(d.at, time.Now())
	d.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.fail) > 0 {
		err := d.fail[0]
		d.fail = d.fail[1:]
		if err != nil {
			return err
		}
	}
	d.kept = append(d.kept, batch...)
	d.batches = append(d.batches, len(batch))
	return nil
}

func (d *disk) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for i := range d.kept {
		ids = append(ids, d.kept[i].RequestID)
	}
	return ids
}

func (d *disk) sizes() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.batches)
}

func record(n int) usage.Record {
	return usage.Record{RequestID: fmt.Sprintf("r%06d", n), Team: "acme", Key: "key_1", Time: time.Unix(1_770_000_000, 0), Status: 200, ValidationStatus: "passed"}
}

func numbers(from, to int) []string {
	var ids []string
	for n := from; n < to; n++ {
		ids = append(ids, record(n).RequestID)
	}
	return ids
}

func add(t *testing.T, l *usage.Log, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := l.Add(t.Context(), record(n)); err != nil {
			t.Fatalf("add %d: %v", n, err)
		}
	}
}

// run owns a log until stop is called, which gives Run's error.
func run(t *testing.T, l *usage.Log) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestRecordsAreWrittenInBatchesAndInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		var written []int
		l := usage.NewLog(d, usage.LogConfig{OnWrite: func(n int, _ time.Duration) { written = append(written, n) }})
		add(t, l, 0, 300)
		if l.Depth() != 300 {
			t.Errorf("%d records wait", l.Depth())
		}
		stop := run(t, l)
		synctest.Wait()
		if d := cmp.Diff(numbers(0, 300), d.ids()); d != "" {
			t.Errorf("kept at once, since a batch is full (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]int{128, 128, 44}, d.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if err := stop(); err != nil || l.Depth() != 0 || !slices.Equal(written, []int{128, 128, 44}) {
			t.Errorf("at the end: %v, %d wait, told of %v", err, l.Depth(), written)
		}
	})
}

// The first record of a batch waits a tenth of a second for others; a full batch waits for nobody.
func TestARecordLingersForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := usage.NewLog(d, usage.LogConfig{})
		stop := run(t, l)
		synctest.Wait()
		begin := time.Now()
		add(t, l, 0, 1)
		pass(99 * time.Millisecond)
		add(t, l, 1, 3)
		synctest.Wait()
		if ids := d.ids(); ids != nil {
			t.Errorf("kept before the linger: %v", ids)
		}
		pass(time.Millisecond)
		synctest.Wait()
		if d := cmp.Diff([]int{3}, d.sizes()); d != "" {
			t.Errorf("batches after %s (-want +got):\n%s", time.Since(begin), d)
		}
		begin = time.Now()
		add(t, l, 3, 3+128)
		synctest.Wait()
		if d := cmp.Diff([]int{3, 128}, d.sizes()); d != "" || time.Since(begin) != 0 {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := usage.NewLog(d, usage.LogConfig{Linger: -1})
		stop := run(t, l)
		synctest.Wait()
		add(t, l, 0, 1)
		synctest.Wait()
		if d := cmp.Diff([]int{1}, d.sizes()); d != "" {
			t.Errorf("without linger (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// When the store can't follow, callers wait for room; who cannot wait is told, and nothing else is lost.
func TestAFullLogIsSlowInsteadOfLossy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{block: make(chan struct{})}
		l := usage.NewLog(d, usage.LogConfig{Queue: 4})
		stop := run(t, l)
		add(t, l, 0, 4)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Add(ctx, record(99)); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("a record without room: %v after %s", err, time.Since(begin))
		}
		var waited time.Duration
		added := make(chan error, 1)
		go func() {
			err := l.Add(t.Context(), record(4))
			waited = time.Since(begin)
			added <- err
		}()
		pass(9 * time.Second)
		if l.Depth() != 4 {
			t.Errorf("%d records wait, want 4", l.Depth())
		}
		d.mu.Lock()
		close(d.block)
		d.block = nil
		d.mu.Unlock()
		if err := <-added; err != nil || waited != 10*time.Second {
			t.Errorf("a waiting record: %v after %s", err, waited)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(numbers(0, 5), d.ids()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
	})
}

// Texts are bounded by their bytes, too; a text larger than the bound passes alone.
func TestTheBytesThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{block: make(chan struct{})}
		l := usage.NewLog(d, usage.LogConfig{Bytes: 1000, StorePrompts: true})
		text := func(n, size int) usage.Record {
			r := record(n)
			r.Prompt, r.Answer = strings.Repeat("p", size/2), strings.Repeat("a", size-size/2)
			return r
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		refused := func(r usage.Record) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := l.Add(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a record beyond the bytes: %v", err)
			}
		}
		must(l.Add(t.Context(), text(0, 600)))
		must(l.Add(t.Context(), text(1, 400)))
		refused(text(98, 1))
		must(l.Add(t.Context(), record(2))) // Without texts it takes none of that room.
		stop := run(t, l)
		synctest.Wait()
		d.mu.Lock()
		close(d.block)
		d.block = nil
		d.mu.Unlock()
		must(l.Flush(t.Context()))
		d.mu.Lock()
		d.block = make(chan struct{})
		d.mu.Unlock()
		must(l.Add(t.Context(), text(3, 5000)))
		refused(text(99, 1))
		d.mu.Lock()
		close(d.block)
		d.block = nil
		d.mu.Unlock()
		must(stop())
		if d := cmp.Diff(numbers(0, 4), d.ids()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
	})
}

func TestAFailedWriteIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("the disk is full")
		d := &disk{fail: slices.Repeat([]error{full}, 8)}
		var told []error
		l := usage.NewLog(d, usage.LogConfig{Linger: -1, OnError: func(err error) { told = append(told, err) }})
		stop := run(t, l)
		add(t, l, 0, 5)
		pass(time.Second)
		add(t, l, 5, 8)
		pass(time.Minute)
		synctest.Wait()
		if d := cmp.Diff(numbers(0, 8), d.ids()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
		d.mu.Lock()
		var waits []time.Duration
		for i := 1; i < 9; i++ {
			waits = append(waits, d.at[i].Sub(d.at[i-1]))
		}
		d.mu.Unlock()
		const ms = time.Millisecond
		if d := cmp.Diff([]time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}, waits); d != "" {
			t.Errorf("waits (-want +got):\n%s", d)
		}
		if len(told) != 8 || !errors.Is(told[0], full) {
			t.Errorf("told of %v", told)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestFlushWaitsForWhatWasAddedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := usage.NewLog(d, usage.LogConfig{Linger: time.Hour})
		stop := run(t, l)
		synctest.Wait()
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("an empty log: %v", err)
		}
		add(t, l, 0, 3)
		begin := time.Now()
		if err := l.Flush(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("flush: %v after %s", err, time.Since(begin))
		}
		if d := cmp.Diff(numbers(0, 3), d.ids()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
		d.mu.Lock()
		d.block = make(chan struct{})
		d.mu.Unlock()
		add(t, l, 3, 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush of a store that hangs: %v", err)
		}
		d.mu.Lock()
		close(d.block)
		d.block = nil
		d.mu.Unlock()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("flush of an ended log that kept everything: %v", err)
		}
	})
}

// At the end everything that was taken is written, also what a failing write gave back, and nothing more is taken.
func TestTheEndWritesEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{fail: []error{errors.New("busy"), errors.New("busy")}}
		l := usage.NewLog(d, usage.LogConfig{Queue: 400})
		stop := run(t, l)
		add(t, l, 0, 200) // They fail, and wait for their second try when the end comes.
		synctest.Wait()
		add(t, l, 200, 400)
		blocked := make(chan error, 1)
		go func() { blocked <- l.Add(t.Context(), record(999)) }()
		synctest.Wait()
		err := stop()
		if err != nil {
			t.Error(err)
		}
		want := numbers(0, 400)
		if err := <-blocked; err == nil {
			want = append(want, record(999).RequestID) // There was room again before the log ended.
		} else if !errors.Is(err, usage.ErrClosed) {
			t.Errorf("a waiting record at the end: %v", err)
		}
		if d := cmp.Diff(want, d.ids()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
		if err := l.Add(t.Context(), record(1000)); !errors.Is(err, usage.ErrClosed) {
			t.Errorf("a record after the end: %v", err)
		}
	})
}

func TestTheEndIsBoundedAndSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{fail: slices.Repeat([]error{errors.New("the disk is gone")}, 1000)}
		l := usage.NewLog(d, usage.LogConfig{Flush: 3 * time.Second})
		stop := run(t, l)
		add(t, l, 0, 7)
		waiting := make(chan error, 1)
		go func() { waiting <- l.Flush(t.Context()) }()
		synctest.Wait()
		begin := time.Now()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "the last 7 records") || time.Since(begin) != 3*time.Second {
			t.Errorf("the end: %v after %s", err, time.Since(begin))
		}
		if err := <-waiting; !errors.Is(err, usage.ErrClosed) {
			t.Errorf("who waits for the history gets %v", err)
		}
	})
}

// texts are where a record may hold words of the prompt or the answer.
func withTexts(n int) usage.Record {
	r := record(n)
	r.Prompt, r.Answer = "SECRET prompt", `{"iban":"SECRET"}`
	r.Attempts = []byte(`[{"n":1,"outcome":"ok"}]`)
	r.Validation = []byte(`{"errors":[{"keyword":"pattern","pointer":"/SECRET","schema_pointer":"/properties/a/pattern","expected":"^a$","actual":"SECRET","message":"SECRET","hint":"SECRET"}],` +
		`"repairs":[{"kind":"quotes","offset":3}],"coercions":[{"kind":"number","pointer":"/SECRET","before":"SECRET","after":1}],` +
		`"residue":[{"pointer":"/SECRET","keyword":"pattern","value":"SECRET"}],"reasks":1,"schema":"invoice@3","dialect_mode":"strict","later":{"x":"SECRET"},"other":"SECRET"}`)
	return r
}

func TestTextsAreKeptOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	const safe = `{"coercions":[{"kind":"number"}],"dialect_mode":"strict","errors":[{"keyword":"pattern","schema_pointer":"/properties/a/pattern"}],"reasks":1,` +
		`"repairs":[{"kind":"quotes","offset":3}],"residue":[{"keyword":"pattern"}],"schema":"invoice@3"}`
	for _, c := range []struct {
		name           string
		store, private bool
		whole          bool
	}{
		{"prompts are stored", true, false, true},
		{"a private request", true, true, false},
		{"prompts are not stored", false, false, false},
		{"neither", false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				l := usage.NewLog(d, usage.LogConfig{StorePrompts: c.store})
				stop := run(t, l)
				r := withTexts(1)
				r.Private = c.private
				if err := l.Add(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				want := withTexts(1)
				want.Private = c.private
				if !c.whole {
					want.Prompt, want.Answer, want.Validation = "", "", []byte(safe)
					if all := fmt.Sprintf("%+v %s", d.kept, d.kept[0].Validation); strings.Contains(all, "SECRET") {
						t.Errorf("a text is kept: %s", all)
					}
				}
				if d := cmp.Diff([]usage.Record{want}, d.kept); d != "" {
					t.Errorf("kept (-want +got):\n%s", d)
				}
			})
		})
	}
}

// A report in a form that is not known is dropped whole; the report of a right answer is kept as it is.
func TestOnlyKnownReportsAreKeptWithoutTexts(t *testing.T) {
	t.Parallel()
	const right = `{"errors":[],"repairs":[],"coercions":[],"reasks":0,"schema":"","dialect_mode":"json"}`
	for in, want := range map[string]string{
		"": "", right: right, `["SECRET"]`: "", `"SECRET"`: "", `{"errors": "SECRET"`: "", `not JSON SECRET`: "", `{"errors":["SECRET",{"keyword":"type"}]}`: `{"errors":[{"keyword":"type"}]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{}
			l := usage.NewLog(d, usage.LogConfig{})
			stop := run(t, l)
			r := record(1)
			r.Validation = []byte(in)
			if err := l.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if got := string(d.kept[0].Validation); got != want {
				t.Errorf("of %s is kept %s, want %s", in, got, want)
			}
		})
	}
}

// unsure keeps a batch and then fails now and then, as a store does whose answer is lost on the way.
type unsure struct {
	usage.Appender
	mu    sync.Mutex
	calls int
}

func (u *unsure) Append(ctx context.Context, batch []usage.Record) error {
	u.mu.Lock()
	u.calls++
	n := u.calls
	u.mu.Unlock()
	if n%3 == 1 {
		return errors.New("refused")
	}
	err := u.Appender.Append(ctx, batch)
	if err == nil && n%3 == 2 {
		err = errors.New("kept, but nobody heard")
	}
	return err
}

// On the real store, with many callers and a store that fails before and after it has written: every record is there once, and the sums count it once.
func TestEveryRecordIsThereOnce(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := usage.NewLog(&unsure{Appender: db.History()}, usage.LogConfig{Queue: 64, Linger: time.Millisecond})
	stop := run(t, l)
	const callers, each = 8, 60
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for n := range each {
				r := record(c*each + n)
				r.Provider, r.Model, r.Tokens, r.Cost = "here", "small", usage.Tokens{Input: 10, Output: 2}, usage.Costs(5)
				if err := l.Add(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	report, err := db.History().Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	if err != nil {
		t.Fatal(err)
	}
	const n = callers * each
	want := usage.Sums{Requests: n, Passed: n, Tokens: usage.Tokens{Input: 10 * n, Output: 2 * n}, Cost: 5 * n}
	if d := cmp.Diff(want, report.Total); d != "" {
		t.Errorf("the sums (-want +got):\n%s", d)
	}
	seen := map[string]bool{}
	f := usage.Filter{Limit: 100}
	for {
		list, next, err := db.History().Requests(t.Context(), key.OfTeam("acme"), f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if seen[list[i].RequestID] {
				t.Errorf("%s is there twice", list[i].RequestID)
			}
			seen[list[i].RequestID] = true
		}
		if next == "" {
			break
		}
		f.After = next
	}
	if len(seen) != n {
		t.Errorf("%d records are there, want %d", len(seen), n)
	}
}

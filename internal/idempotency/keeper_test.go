package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// pass lets the time of a bubble pass.
func pass(d time.Duration) { <-time.After(d) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is a keeper on a store of its own handle, as another process would have it.
type process struct {
	*idempotency.Keeper
	store idempotency.Store
	// errs are what OnError was told.
	mu   sync.Mutex
	errs []error
}

// start opens the store in a folder and makes a keeper on it. Several may share the folder. Inside a bubble of synctest the store's clock is the bubble's.
func start(t *testing.T, dir string) *process {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return on(db.Idempotency())
}

func on(store idempotency.Store) *process {
	p := &process{store: store}
	p.Keeper = idempotency.New(store, idempotency.Config{OnError: func(err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errs = append(p.errs, err)
	}})
	return p
}

func (p *process) told() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errs
}

func name(key string) idempotency.Name { return idempotency.Name{Team: "acme", Key: key} }

func body(n byte) idempotency.Body { return idempotency.Body{n} }

func answer(status int, text string) idempotency.Response {
	return idempotency.Response{Status: status, ContentType: "application/json", Body: []byte(text)}
}

// gives is work that gives an answer at once.
func gives(r idempotency.Response) func(context.Context) (idempotency.Response, error) {
	return func(context.Context) (idempotency.Response, error) { return r, nil }
}

func never(t *testing.T) func(context.Context) (idempotency.Response, error) {
	t.Helper()
	return func(context.Context) (idempotency.Response, error) {
		t.Error("the work is done a second time")
		return answer(200, "second"), nil
	}
}

// want runs and compares answer and repetition.
func want(t *testing.T, p *process, n idempotency.Name, b idempotency.Body, run func(context.Context) (idempotency.Response, error), r idempotency.Response, repeated bool) {
	t.Helper()
	got, again, err := p.Do(t.Context(), n, b, run)
	if err != nil {
		t.Errorf("Do(%s): %v", n.Key, err)
		return
	}
	if d := cmp.Diff(r, got); d != "" || again != repeated {
		t.Errorf("Do(%s): repeated %v, want %v; (-want +got):\n%s", n.Key, again, repeated, d)
	}
}

func TestTheSameKeyAndBodyGiveTheSameAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, other := start(t, dir), start(t, dir)
	first := answer(200, `{"data":{"a":1.50}}`)
	want(t, one, name("k"), body(1), gives(first), first, false)
	for range 3 {
		want(t, one, name("k"), body(1), never(t), first, true)
		want(t, other, name("k"), body(1), never(t), first, true)
	}
	// Another team and another key are another name.
	theirs := answer(200, "theirs")
	want(t, one, idempotency.Name{Team: "beta", Key: "k"}, body(2), gives(theirs), theirs, false)
	want(t, one, name("K"), body(2), gives(theirs), theirs, false)
	want(t, one, name("k"), body(1), never(t), first, true)
}

// A fault of the caller is as final as a result.
func TestFaultsOfTheCallerAreKept(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, status := range []int{200, 201, 202, 400, 404, 409, 413, 422} {
		n, r := name(fmt.Sprint(status)), answer(status, fmt.Sprint("answer ", status))
		want(t, p, n, body(1), gives(r), r, false)
		want(t, p, n, body(1), never(t), r, true)
	}
}

func TestFaultsOfTheServiceFreeTheKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, other := start(t, dir), start(t, dir)
	for _, status := range []int{0, 402, 429, 500, 502, 503, 504} {
		n, bad, good := name(fmt.Sprint(status)), answer(status, "bad"), answer(200, "good")
		want(t, one, n, body(1), gives(bad), bad, false)
		// The freed key takes another body too, in any process.
		want(t, other, n, body(2), gives(good), good, false)
		want(t, one, n, body(2), never(t), good, true)
	}
	broken := errors.New("the connection broke")
	_, _, err := one.Do(t.Context(), name("error"), body(1), func(context.Context) (idempotency.Response, error) { return answer(200, "half"), broken })
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	want(t, other, name("error"), body(1), gives(answer(200, "good")), answer(200, "good"), false)
}

func TestAPanicFreesTheKey(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is swallowed")
			}
		}()
		_, _, err := p.Do(t.Context(), name("k"), body(1), func(context.Context) (idempotency.Response, error) { panic("broken work") })
		t.Errorf("Do came back with %v", err)
	}()
	want(t, p, name("k"), body(1), gives(answer(200, "good")), answer(200, "good"), false)
}

func TestAnotherBodyIsAConflict(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, other := start(t, dir), start(t, dir)
	conflicts := func(when string) {
		t.Helper()
		for who, p := range map[string]*process{"the same process": one, "another process": other} {
			if _, _, err := p.Do(t.Context(), name("k"), body(2), never(t)); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s, %s: the error is %v", when, who, err)
			}
		}
	}
	want(t, one, name("k"), body(1), func(context.Context) (idempotency.Response, error) {
		conflicts("while the first is running")
		return answer(200, "first"), nil
	}, answer(200, "first"), false)
	conflicts("after the first has ended")
}

func TestKeysHaveAForm(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, text := range []string{"", strings.Repeat("k", 256), "a\nb", "a\x00", "é", "a\x7f"} {
		if _, _, err := p.Do(t.Context(), name(text), body(1), never(t)); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%.20q: the error is %v", text, err)
		}
	}
	for _, text := range []string{"k", strings.Repeat("k", 255), "3f2b8c1e-0d4e-4d0a-9b7c-6a5d4c3b2a19", `" ~'; --`} {
		want(t, p, name(text), body(1), gives(answer(200, text)), answer(200, text), false)
	}
}

// Of a crowd with one key, in two processes, one does the work and everybody gets its answer.
func TestACrowdGetsOneAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	processes := []*process{start(t, dir), start(t, dir)}
	var worked, first atomic.Int64
	var all sync.WaitGroup
	begun, release := make(chan struct{}), make(chan struct{})
	for i := range 40 {
		all.Go(func() {
			got, again, err := processes[i%2].Do(t.Context(), name("k"), body(1), func(context.Context) (idempotency.Response, error) {
				if worked.Add(1) == 1 {
					close(begun)
				}
				<-release
				return answer(200, "the one"), nil
			})
			if err != nil || string(got.Body) != "the one" {
				t.Errorf("caller %d: %+v, %v", i, got, err)
			}
			if !again {
				first.Add(1)
			}
		})
	}
	<-begun
	close(release)
	all.Wait()
	if worked.Load() != 1 || first.Load() != 1 {
		t.Errorf("the work was done %d times, %d callers were the first", worked.Load(), first.Load())
	}
}

// While the first is running the second waits: by the channel in one process, by looking at the row from another, which costs at most the time of a look.
func TestTheSecondWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		one, other := start(t, dir), start(t, dir)
		begin := time.Now()
		running := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			want(t, one, name("k"), body(1), func(context.Context) (idempotency.Response, error) {
				close(running)
				pass(40 * time.Second) // Longer than the lease: it is renewed.
				return answer(200, "slow"), nil
			}, answer(200, "slow"), false)
		})
		<-running
		for who, p := range map[string]*process{"same": one, "other": other} {
			all.Go(func() {
				want(t, p, name("k"), body(1), never(t), answer(200, "slow"), true)
				if waited := time.Since(begin); waited < 40*time.Second || waited > 40*time.Second+200*time.Millisecond {
					t.Errorf("the %s process has its answer after %s", who, waited)
				}
			})
		}
		all.Wait()
		if errs := append(one.told(), other.told()...); errs != nil {
			t.Errorf("errors: %v", errs)
		}
	})
}

func TestWaitingEndsWithTheCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		one, other := start(t, dir), start(t, dir)
		running, release := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			want(t, one, name("k"), body(1), func(context.Context) (idempotency.Response, error) {
				close(running)
				<-release
				return answer(200, "late"), nil
			}, answer(200, "late"), false)
		})
		<-running
		for _, p := range []*process{one, other} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			begin := time.Now()
			_, _, err := p.Do(ctx, name("k"), body(1), never(t))
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*time.Second {
				t.Errorf("the error is %v after %s", err, time.Since(begin))
			}
		}
		close(release)
		all.Wait()
	})
}

// When the first one fails, those who wait do not get its failure: one of them is the next to try.
func TestAFailureLetsTheNextOneTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		processes := []*process{start(t, dir), start(t, dir)}
		var tries atomic.Int64
		var mu sync.Mutex
		count := map[string]int{}
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				got, again, err := processes[i%2].Do(t.Context(), name("k"), body(1), func(context.Context) (idempotency.Response, error) {
					pass(time.Second)
					if tries.Add(1) <= 3 {
						return answer(503, "busy"), nil
					}
					return answer(200, "done"), nil
				})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				count[fmt.Sprint(string(got.Body), " ", again)]++
			})
		}
		all.Wait()
		if d := cmp.Diff(map[string]int{"busy false": 3, "done false": 1, "done true": 6}, count); d != "" {
			t.Errorf("answers (-want +got):\n%s", d)
		}
	})
}

// The caller may go away: its work goes on as it likes, and what it gives is kept.
func TestAnAnswerIsKeptThoughItsCallerIsGone(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	if _, _, err := p.Do(ctx, name("k"), body(1), func(context.Context) (idempotency.Response, error) {
		cancel()
		return answer(200, "kept"), nil
	}); err != nil {
		t.Error(err)
	}
	want(t, p, name("k"), body(1), never(t), answer(200, "kept"), true)
	ctx, cancel = context.WithCancel(t.Context())
	if _, _, err := p.Do(ctx, name("gone"), body(1), func(ctx context.Context) (idempotency.Response, error) {
		cancel()
		return idempotency.Response{}, ctx.Err()
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	want(t, p, name("gone"), body(1), gives(answer(200, "next")), answer(200, "next"), false)
}

// A process that dies leaves a claim whose lease ends; then the next one takes it over, and what the dead one says later counts no more.
func TestTheClaimOfADeadOwnerIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, t.TempDir())
		const lease = 15 * time.Second
		c, err := p.store.Claim(t.Context(), name("k"), body(1), "a process that is killed now", lease, 24*time.Hour)
		if err != nil || c.State != idempotency.Taken {
			t.Fatalf("the claim is %+v, %v", c, err)
		}
		if _, _, err := p.Do(t.Context(), name("k"), body(2), never(t)); !fault.Is(err, fault.Conflict) {
			t.Errorf("another body before the lease ends: %v", err)
		}
		begin := time.Now()
		want(t, p, name("k"), body(1), gives(answer(200, "taken over")), answer(200, "taken over"), false)
		if waited := time.Since(begin); waited < lease-time.Second || waited > lease+time.Second {
			t.Errorf("the claim is taken over after %s", waited)
		}
		if err := p.store.Finish(t.Context(), name("k"), "a process that is killed now", answer(200, "from the dead")); !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("the dead owner's answer: %v", err)
		}
		want(t, p, name("k"), body(1), never(t), answer(200, "taken over"), true)
	})
}

func TestAnAnswerIsKeptForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, t.TempDir())
		want(t, p, name("k"), body(1), gives(answer(200, "first")), answer(200, "first"), false)
		pass(24*time.Hour - time.Second)
		want(t, p, name("k"), body(1), never(t), answer(200, "first"), true)
		pass(time.Second)
		want(t, p, name("k"), body(2), gives(answer(200, "second")), answer(200, "second"), false)
	})
}

func TestRunForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, t.TempDir())
		const many = 450 // More than two portions.
		for i := range many {
			want(t, p, name(fmt.Sprint(i)), body(1), gives(answer(200, "x")), answer(200, "x"), false)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		left := func() int {
			n, err := p.store.Forget(t.Context(), 0, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		pass(24*time.Hour + 11*time.Minute)
		synctest.Wait()
		if n := left(); n != 0 {
			t.Errorf("%d answers are left after a day", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if errs := p.told(); errs != nil {
			t.Errorf("errors: %v", errs)
		}
	})
}

// broken fails where it is told to.
type broken struct {
	idempotency.Store
	claim, finish, release, renew, forget error
}

func (b *broken) Claim(ctx context.Context, n idempotency.Name, body idempotency.Body, owner string, lease, keep time.Duration) (idempotency.Claimed, error) {
	if b.claim != nil {
		return idempotency.Claimed{}, b.claim
	}
	return b.Store.Claim(ctx, n, body, owner, lease, keep)
}

func (b *broken) Finish(ctx context.Context, n idempotency.Name, owner string, r idempotency.Response) error {
	if b.finish != nil {
		return b.finish
	}
	return b.Store.Finish(ctx, n, owner, r)
}

func (b *broken) Release(ctx context.Context, n idempotency.Name, owner string) error {
	if b.release != nil {
		return b.release
	}
	return b.Store.Release(ctx, n, owner)
}

func (b *broken) Renew(ctx context.Context, n idempotency.Name, owner string, lease time.Duration) error {
	if b.renew != nil {
		return b.renew
	}
	return b.Store.Renew(ctx, n, owner, lease)
}

func (b *broken) Forget(ctx context.Context, keep time.Duration, limit int) (int, error) {
	if b.forget != nil {
		return 0, b.forget
	}
	return b.Store.Forget(ctx, keep, limit)
}

// Without the store the promise cannot be kept, so nothing is done at all.
func TestWithoutAClaimNoWorkIsDone(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk is full")
	p := on(&broken{claim: disk})
	_, _, err := p.Do(t.Context(), name("k"), body(1), never(t))
	if !fault.Is(err, fault.Overloaded) || !errors.Is(err, disk) || strings.Contains(fault.Of(err).Detail, disk.Error()) {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = on(&broken{claim: context.Canceled})
	if _, _, err := p.Do(ctx, name("k"), body(1), never(t)); !errors.Is(err, context.Canceled) || fault.Is(err, fault.Overloaded) {
		t.Errorf("a caller that is gone gets %v", err)
	}
}

// An answer that could not be kept still goes to its caller, and the operator is told.
func TestAnAnswerThatIsNotKeptIsStillGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole := start(t, t.TempDir())
		disk := errors.New("the disk is full")
		p := on(&broken{Store: whole.store, finish: disk, release: disk, renew: disk, forget: disk})
		want(t, p, name("k"), body(1), func(context.Context) (idempotency.Response, error) {
			pass(11 * time.Second) // Two renewals.
			return answer(200, "given"), nil
		}, answer(200, "given"), false)
		told := p.told()
		if len(told) != 4 { // Two renewals, the finish and the release behind it.
			t.Errorf("%d errors are told: %v", len(told), told)
		}
		for _, err := range told {
			if !errors.Is(err, disk) {
				t.Errorf("the error %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Second)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
		if n := len(p.told()) - len(told); n != 7 { // At once and six times an hour.
			t.Errorf("%d errors of deleting are told", n)
		}
	})
}

// What is larger than any answer is not kept.
func TestAHugeAnswerIsGivenAndNotKept(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	huge := answer(200, strings.Repeat("x", 32<<20+1))
	got, again, err := p.Do(t.Context(), name("k"), body(1), gives(huge))
	if err != nil || again || len(got.Body) != len(huge.Body) {
		t.Errorf("%d bytes are given, repeated %v, %v", len(got.Body), again, err)
	}
	want(t, p, name("k"), body(1), gives(answer(200, "again")), answer(200, "again"), false)
}

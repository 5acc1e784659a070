package app

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

// cpu is the time that this process has used of its processors.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJobs is the whole way of jobs on the embedded store: submitted by 32 callers at once, done by the program's worker at a scripted provider that answers
// without delay (in this process too, and counted with it), and kept. It reports what a processor does in a second.
func BenchmarkJobs(b *testing.B) {
	for _, items := range []int{1, 100} {
		b.Run(fmt.Sprint("items ", items), func(b *testing.B) {
			service := providertest.New(b, providertest.Settings{Text: `{"n":7}`})
			s := &setting{dir: b.TempDir(), listen: "127.0.0.1:0", out: &logged{}, environ: []string{"SERVICE_KEY=sk-secret"}}
			s.yaml = "auth: {mode: none}\ntelemetry: {log_level: warn}\nproviders:" + account("one", service)
			r := s.launch(b)
			before := cpu(b)
			b.ResetTimer()
			var all sync.WaitGroup
			work := make(chan int)
			for range 32 {
				all.Go(func() {
					for n := range work {
						r.hand(b, n, items)
					}
				})
			}
			for n := 0; n < b.N; n += items {
				work <- n
			}
			close(work)
			all.Wait()
			submitted := cpu(b) - before
			r.drained(b)
			b.StopTimer()
			used := cpu(b) - before
			b.ReportMetric(float64(b.N)/used.Seconds(), "items/cpu-s")
			b.ReportMetric(float64(submitted.Microseconds())/float64(b.N), "µs-cpu-to-accept/item")
		})
	}
}

// drained waits until no job is left that is not completed.
func (r *running) drained(b *testing.B) {
	b.Helper()
	for _, state := range []job.State{job.Pending, job.Processing, job.Failed, job.CompletedWithErrors, job.Expired} {
		for {
			left, _, err := r.Jobs().Jobs(b.Context(), key.AllTeams(), job.Filter{State: state, Limit: 1})
			if err != nil {
				b.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			if state.Final() {
				b.Fatalf("%+v", left[0])
			}
			<-time.After(50 * time.Millisecond)
		}
	}
}

// hand submits a job of so many items.
func (r *running) hand(b *testing.B, n, items int) {
	b.Helper()
	const shape = `"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"options":{"bypass_cache":true,"language_detection":false}`
	list := make([]value.Value, items)
	for i := range list {
		list[i] = value.Object(value.Member{Name: "prompt", Value: value.String(fmt.Sprintf("There are %d apples.", n+i))})
	}
	v, err := value.DecodeString(`{`+shape+`}`, value.Limits{})
	if err != nil {
		b.Error(err)
		return
	}
	if items == 1 {
		p, _ := list[0].Get("prompt")
		v = v.With("prompt", p)
	} else {
		v = v.With("items", value.Array(list...))
	}
	d, err := job.ReadSubmission(v, r.Defaults(), time.Now())
	if err != nil {
		b.Error(err)
		return
	}
	if _, err := r.Jobs().Submit(b.Context(), job.Order{Who: key.Anyone()}, d); err != nil {
		b.Error(err)
	}
}

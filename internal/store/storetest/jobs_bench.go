//go:build unix

package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// BenchJobs measures a store of jobs: jobs of one prompt are kept, then taken and finished, by lists of several lengths and several callers. It tells the processor
// time of this process for each job; a server's own is not in it.
func BenchJobs(b *testing.B, open func(b *testing.B) job.Store) {
	b.Helper()
	for _, callers := range []int{1, 64} {
		for _, length := range []int{1, 16, 64} {
			if callers > 1 && length > 1 {
				continue // Lists are what callers at the same time are combined to.
			}
			b.Run(fmt.Sprintf("callers=%d/list=%d", callers, length), func(b *testing.B) {
				benchJobs(b, open(b), callers, length)
			})
		}
	}
}

// benchJobs measures three phases of all jobs, one after the other.
func benchJobs(b *testing.B, s job.Store, callers, length int) {
	request := []byte(`{"prompt":"Invoice #12345, 2025-01-15, $1,250.00 for consulting services in December.","schema":{"type":"object","properties":{` +
		strings.Repeat(`"total":{"type":"number"},"supplier":{"type":"string"},`, 5) + `"date":{"type":"string"}}}}`)
	answer := []byte(`{"data":{"total":1250,"supplier":"Acme GmbH","date":"2025-01-15"},"validation_status":"passed","attempts":[` + strings.Repeat(`{"n":1,"provider":"p"},`, 8) + `{}]}`)
	var work []job.Work
	var mu sync.Mutex
	phase(b, "submit", callers, length, func(first, count int) error {
		list := make([]job.Submission, count)
		for i := range list {
			list[i] = job.Submission{Job: job.Job{ID: jobID(first + i), Team: "acme", Key: "key_1", Priority: job.Normal, Request: request}, Items: make([]job.Item, 1)}
		}
		_, err := s.Submit(context.Background(), list)
		return err
	})
	phase(b, "claim", callers, length, func(_, count int) error {
		got, err := s.Claim(context.Background(), job.Want{Worker: "w", Most: count, Lease: time.Hour, Classes: []job.Priority{job.High, job.Normal, job.Low}})
		mu.Lock()
		defer mu.Unlock()
		work = append(work, got...)
		return err
	})
	phase(b, "finish", callers, length, func(first, count int) error {
		var list []job.Finished
		for _, w := range work[min(first, len(work)):min(first+count, len(work))] {
			list = append(list, job.Finished{Lease: w.Lease, State: job.ItemCompleted, Result: answer})
		}
		_, err := s.Finish(context.Background(), list)
		return err
	})
	if len(work) < b.N*9/10 {
		b.Errorf("%d of %d were taken", len(work), b.N)
	}
}

// phase runs one step for all jobs.
func phase(b *testing.B, name string, callers, length int, do func(first, count int) error) {
	b.Helper()
	var next atomic.Int64
	began, spent := time.Now(), processorTime(b)
	err := together(callers, func(int) error {
		for {
			first := int(next.Add(int64(length))) - length
			if first >= b.N {
				return nil
			}
			if err := do(first, min(length, b.N-first)); err != nil {
				return err
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((processorTime(b)-spent).Microseconds())/float64(b.N), name+"-cpu-µs")
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(b.N), name+"-µs")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatalf("read the processor time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// childServer and childPrefix tell a child process, which is this test's program once more, where to count.
const (
	childServer = "PROMPTD_LIMIT_TEST_SERVER"
	childPrefix = "PROMPTD_LIMIT_TEST_PREFIX"
)

// What the processes do together: more than the limit at once, for requests and for places.
const (
	processCount, callers, each = 4, 64, 40 // 10,240 requests.
	requestLimit                = 2000
	placeLimit                  = 7
)

func TestMain(m *testing.M) {
	if address := os.Getenv(childServer); address != "" {
		if err := child(address, os.Getenv(childPrefix), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child asks from many goroutines, once it is told to, and tells how often it was let in, and how many were inside at once at the most as far as it knows.
func child(address, prefix string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	client, err := redis.Open(ctx, redis.Options{URL: address, Prefix: prefix, Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	defer client.Close()
	l := limits.New(limits.Config{Client: client})
	fmt.Fprintln(out, "ready")
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return err
	}
	var admitted, most atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if err := call(ctx, l, &admitted, &most); err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Fprintln(out, admitted.Load(), most.Load())
	return nil
}

func call(ctx context.Context, l *limits.Limiter, admitted, most *atomic.Int64) error {
	for range each {
		d, err := l.Allow(ctx, "requests", 1, limit.PerHour(requestLimit))
		if err != nil {
			return err
		}
		if d.Allowed {
			admitted.Add(1)
		}
		place, err := l.Enter(ctx, "places", placeLimit)
		if err != nil {
			return err
		}
		if !place.Allowed {
			continue
		}
		n, err := l.Inside(ctx, "places")
		if err != nil {
			return err
		}
		for seen := most.Load(); int64(n) > seen && !most.CompareAndSwap(seen, int64(n)); seen = most.Load() {
		}
		if err := l.Leave(ctx, "places"); err != nil {
			return err
		}
	}
	return nil
}

// running is a child process.
type running struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t *testing.T, s redistest.Server) running {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childServer+"="+s.URL, childPrefix+"="+s.Prefix)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := running{cmd, in, bufio.NewReader(out)}
	if line, err := c.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("a child said %q, %v, want that it is ready", line, err)
	}
	return c
}

// TestProcessesAreNeverOverAdmitted is the bound of the product: 64 callers in each of four processes, 10,240 requests, not one admitted too many.
func TestProcessesAreNeverOverAdmitted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		list := make([]running, processCount)
		for i := range list {
			list[i] = startChild(t, s)
		}
		begun := time.Now()
		for _, c := range list {
			if _, err := io.WriteString(c.in, "go\n"); err != nil {
				t.Fatal(err)
			}
		}
		var admitted, most int64
		for _, c := range list {
			var n, inside int64
			if _, err := fmt.Fscan(c.out, &n, &inside); err != nil {
				t.Fatal(err)
			}
			if err := c.cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			admitted, most = admitted+n, max(most, inside)
		}
		bound := requestLimit + int64(time.Since(begun))*requestLimit/int64(time.Hour)
		t.Logf("%d of %d requests admitted, bound %d; %d inside at once", admitted, processCount*callers*each, bound, most)
		if admitted < requestLimit || admitted > bound {
			t.Errorf("%d requests were admitted, want from %d to burst + elapsed × rate = %d", admitted, requestLimit, bound)
		}
		if most < 1 || most > placeLimit {
			t.Errorf("%d were inside at once, want at most %d", most, placeLimit)
		}
	})
}

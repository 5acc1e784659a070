package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client is one caller of an installation; its connections are kept.
type client struct {
	*installation
	http *http.Client
	// last is the job that was accepted last.
	last atomic.Pointer[string]
}

func (in *installation) client() *client {
	return &client{installation: in, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}, Timeout: time.Minute}}
}

// ask sends one request and gives the answer's body.
func (c *client) ask(ctx context.Context, method, path, kind string, body io.Reader, want int) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	got, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close() //nolint:errcheck // It was read.
	raw, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != want {
		err = fmt.Errorf("%s %s: %d: %.300s", method, path, got.StatusCode, raw)
	}
	return raw, err
}

// fresh is what jobs say of themselves: their answers come from the provider, and the language of prompts is nobody's concern, as on the other side.
const fresh = `{"bypass_cache":true,"language_detection":false}`

// numbers makes every prompt another one, also than those of an earlier run, whose answers may still lie in Redis.
var numbers = func() *atomic.Int64 { //nolint:gochecknoglobals // One process, one count.
	var n atomic.Int64
	n.Store(time.Now().UnixMilli() % 1e10)
	return &n
}()

func (c *client) job(ctx context.Context) error {
	return c.submit(ctx, "application/json", strings.NewReader(body(numbers.Add(1), fresh)))
}

func (c *client) submit(ctx context.Context, kind string, body io.Reader) error {
	raw, err := c.ask(ctx, http.MethodPost, "/v1/jobs", kind, body, http.StatusAccepted)
	if err != nil {
		return err
	}
	var got struct {
		ID string `json:"job_id"`
	}
	if err := json.Unmarshal(raw, &got); err != nil || got.ID == "" {
		return fmt.Errorf("a receipt without an id: %.300s", raw)
	}
	c.last.Store(&got.ID)
	return nil
}

// batch submits one job of so many prompts as lines.
func (c *client) batch(ctx context.Context, count int) error {
	var b bytes.Buffer
	b.WriteString(`{"schema":` + schema + `,"options":` + fresh + "}\n")
	for range count {
		b.WriteString(`{"prompt":` + text(numbers.Add(1)) + "}\n")
	}
	return c.submit(ctx, "application/x-ndjson", &b)
}

// closed does something so often, by so many callers at once.
func closed(ctx context.Context, callers, count int, do func(context.Context) error) error {
	var next atomic.Int64
	errs := make([]error, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for errs[i] == nil && next.Add(1) <= int64(count) {
				errs[i] = do(ctx)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// open does something at a fixed rate, whatever becomes of what began before. A late beginning counts.
func open(ctx context.Context, rate int, spell time.Duration, do func(context.Context) error) ([]time.Duration, error) {
	count := int(float64(rate) * spell.Seconds())
	took, errs := make([]time.Duration, count), make([]error, count)
	var group sync.WaitGroup
	begun := time.Now()
	for i := range count {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err := until(due); err != nil {
			return nil, err
		}
		group.Go(func() {
			errs[i] = do(ctx)
			took[i] = time.Since(due)
		})
	}
	group.Wait()
	slices.Sort(took)
	return took, errors.Join(errs...)
}

// drained waits until no job is left to be done, and then wants none to have failed. It looks at the last job alone until that is over, since a list costs more.
func (c *client) drained(ctx context.Context) error {
	for last := c.last.Load(); last != nil; {
		raw, err := c.ask(ctx, http.MethodGet, "/v1/jobs/"+*last, "", nil, http.StatusOK)
		if err != nil {
			return err
		}
		var job struct{ Status string }
		if err := json.Unmarshal(raw, &job); err != nil {
			return err
		}
		if job.Status != "pending" && job.Status != "processing" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, state := range []string{"processing", "pending", "processing"} { // One may have begun between two looks.
		for {
			n, err := c.some(ctx, state)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	for _, state := range []string{"failed", "completed_with_errors", "expired"} {
		if n, err := c.some(ctx, state); err != nil || n > 0 {
			return errors.Join(err, fmt.Errorf("%d of the first jobs are %s", n, state))
		}
	}
	return nil
}

// some says whether there are jobs in a state.
func (c *client) some(ctx context.Context, state string) (int, error) {
	raw, err := c.ask(ctx, http.MethodGet, "/v1/jobs?limit=1&status="+state, "", nil, http.StatusOK)
	if err != nil {
		return 0, err
	}
	var list struct{ Data []json.RawMessage }
	err = json.Unmarshal(raw, &list)
	return len(list.Data), err
}

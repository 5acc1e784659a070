package provider_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

// written is a stream of pieces that is written at once, or as far as the call lasts.
func written(pieces int) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		var parts []io.Reader
		for range pieces {
			parts = append(parts, strings.NewReader("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"))
		}
		parts = append(parts, strings.NewReader("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"))
		resp := respond(200, "")
		resp.ContentLength, resp.Body = -1, io.NopCloser(&whileCalled{r, io.MultiReader(parts...)})
		return resp
	}
}

type whileCalled struct {
	r   *http.Request
	src io.Reader
}

func (w *whileCalled) Read(p []byte) (int, error) {
	if err := w.r.Context().Err(); err != nil {
		return 0, err
	}
	return w.src.Read(p)
}

// A caller that reads a stream slowly may lose it, and says nothing of the service.
func TestASlowReaderIsNotASlowService(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"called", "forwarded"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: written(1)}
				p := at(t, s, nil)
				stream := func(pause time.Duration) (a provider.Attempt, err error) {
					if name == "called" {
						_, a, err = p.Call(t.Context(), &p.Models()[0], question("x"), func(string) error { time.Sleep(pause); return nil })
						return a, err
					}
					r := dialect.Request{Method: http.MethodPost, Path: "/chat/completions", Body: []byte(`{}`)}
					_, _, a, err = p.Forward(t.Context(), &p.Models()[0], r, func([]byte) error { time.Sleep(pause); return nil })
					return a, err
				}
				for range 10 {
					if _, err := stream(time.Second); err != nil {
						t.Fatal(err)
					}
				}
				if got := standing(p).Latency.P95; got > 100*time.Millisecond {
					t.Errorf("the service writes at once; the sketch says %s, which is the reader's time", got)
				}
				s.answers(written(10))
				for range 10 {
					_, _ = stream(20 * time.Second) //nolint:errcheck // It may be a timeout: the reader has used up the time.
				}
				if got := standing(p); got.Breaker != provider.Closed || got.Success != 1 {
					t.Errorf("slow readers count against the service: %s", fmt.Sprintf("%+v", got))
				}
			})
		})
	}
}

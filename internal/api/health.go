package api

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// Health is the answer of GET /v1/health and /v1/health/ready.
type Health struct {
	Status       string                `json:"status" enum:"ok,degraded,unavailable"`
	Version      string                `json:"version"`
	UptimeSec    float64               `json:"uptime_seconds"`
	Dependencies map[string]Dependency `json:"dependencies"`
}

// Dependency is how one of the things that promptd stands on is.
type Dependency struct {
	Status string  `json:"status" enum:"ok,unavailable"`
	Needed bool    `json:"needed" doc:"Whether promptd cannot serve without it."`
	TookMS float64 `json:"took_ms"`
}

// Alive is the answer of GET /v1/health/live.
type Alive struct {
	Status string `json:"status" enum:"ok"`
}

// live says that the process answers.
func (s *Server) live(c *call) error { return c.json(http.StatusOK, Alive{"ok"}) }

// health reports everything, always with status 200 while the process answers.
func (s *Server) health(c *call) error {
	h, _ := s.look(c.r.Context())
	return c.json(http.StatusOK, h)
}

// ready is 503 where requests should go elsewhere.
func (s *Server) ready(c *call) error {
	h, ready := s.look(c.r.Context())
	if !ready {
		return c.json(http.StatusServiceUnavailable, h)
	}
	return c.json(http.StatusOK, h)
}

// look asks every dependency, all at once and within a second.
func (s *Server) look(ctx context.Context) (Health, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	h := Health{Status: "ok", Version: s.deps.Version, UptimeSec: time.Since(s.started).Round(time.Millisecond).Seconds(), Dependencies: map[string]Dependency{}}
	ready := !s.flag.Load()
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, check := range s.deps.Checks {
		group.Go(func() {
			begun := time.Now()
			err := check.Ready(ctx)
			d := Dependency{Status: "ok", Needed: check.Needed, TookMS: float64(time.Since(begun).Microseconds()) / 1000}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				d.Status = "unavailable"
				h.Status = "degraded"
				ready = ready && (!check.Needed || check.Bridged != nil && check.Bridged())
			}
			h.Dependencies[check.Name] = d
		})
	}
	group.Wait()
	if !ready {
		h.Status = "unavailable"
	}
	return h, ready
}

// metrics is GET /v1/metrics.
func (s *Server) metrics(c *call) error {
	s.deps.Metrics.ServeHTTP(c.w, c.r)
	return nil
}

func docHealth() operation {
	return operation{
		id: "readHealth", tag: "health", summary: "Health with dependencies", text: "Always 200 while the process answers.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Health](), "How promptd and what it stands on are.", exampleHealth("ok"))},
	}
}

func exampleHealth(status string) any {
	return example(`{"status": "` + status + `", "version": "1.0.0", "uptime_seconds": 86400.5, "dependencies": {"store": {"status": "ok", "needed": true, "took_ms": 0.2}}}`)
}

func docLive() operation {
	return operation{
		id: "readLive", tag: "health", summary: "Liveness", text: "For probes that restart a process which does not answer.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Alive](), "The process answers.", example(`{"status": "ok"}`))},
	}
}

func docReady() operation {
	return operation{
		id: "readReady", tag: "health", summary: "Readiness", text: "For probes and load balancers that choose where requests go.",
		answers: []reply{
			jsonReply(http.StatusOK, reflect.TypeFor[Health](), "Requests can be answered.", exampleHealth("ok")),
			jsonReply(http.StatusServiceUnavailable, reflect.TypeFor[Health](), "Requests should go elsewhere: promptd is about to stop, or lacks what it needs.", exampleHealth("unavailable")),
		},
	}
}

func docMetrics() operation {
	text := content{schema: textSchema("Prometheus metrics.")}
	return operation{
		id: "readMetrics", tag: "health", summary: "Metrics", text: "In the format that the Accept header asks for; admin_listen serves them without a key.",
		answers: []reply{{status: http.StatusOK, text: "The metrics.", contents: map[string]content{"text/plain": text, "application/openmetrics-text": text}}},
	}
}

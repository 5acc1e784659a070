package api

import (
	"context"
	"net/http"
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
				ready = ready && !check.Needed
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

package api

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// draining tells the health report that the server is about to stop.
type draining struct{ flag atomic.Bool }

// Drain makes the server not ready; requests are still answered.
func (d *draining) Drain() { d.flag.Store(true) }

// serve is the outermost layer: every answer has these headers, and every request is watched.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Server"] = []string{"promptd"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if s.cors(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

// cors answers for the configured origins; it reports whether the request was a preflight and is done.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	origins := s.deps.Settings().Origins
	if len(origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !slices.Contains(origins, origin) && !slices.Contains(origins, "*") {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, Idempotent-Replayed, ETag")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, X-Request-ID, traceparent, tracestate")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// endpoint wraps a route: watch, catch panics, let in at the door, tell who calls.
func (s *Server) endpoint(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, visit := s.deps.Watch.Arrived(r.Context(), r)
		c := &call{server: s, w: &writer{ResponseWriter: w}, r: r.WithContext(ctx), id: s.deps.NewID()}
		defer func() {
			if v := recover(); v != nil {
				c.problem(fault.New(fault.Internal, "something failed inside promptd").Because(fmt.Errorf("panic of type %T\n%s", v, debug.Stack())))
			}
			visit.Left(rt.path, c.w.status, c.w.bytes, c.id, c.caller)
		}()
		if err := s.admitted(c, rt); err != nil {
			c.problem(err)
		}
	})
}

func (s *Server) admitted(c *call, rt route) error {
	if !rt.open {
		// Health and documents stay reachable when everything else is full.
		if err := s.deps.Door.Enter(c.r.Context()); err != nil {
			return err
		}
		defer s.deps.Door.Leave()
	}
	if err := s.authenticate(c, rt); err != nil {
		return err
	}
	return rt.handle(c)
}

func (s *Server) authenticate(c *call, rt route) error {
	if rt.open {
		return nil
	}
	if s.deps.Settings().Anyone {
		c.caller = key.Anyone()
		return nil
	}
	token, ok := bearer(c.r.Header.Get("Authorization"))
	if !ok {
		return fault.New(fault.Unauthorized, "the Authorization header with a bearer key is missing")
	}
	caller, err := s.deps.Verifier.Verify(c.r.Context(), token)
	if err != nil {
		return err
	}
	c.caller = caller
	if rt.scope == 0 {
		return nil
	}
	return caller.Require(rt.scope)
}

func bearer(header string) (token string, ok bool) {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(header[len(scheme):]), true
}

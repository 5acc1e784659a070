package api

import (
	"fmt"
	"net/http"
	"path"
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
	if !s.ending.enter() {
		w.WriteHeader(http.StatusServiceUnavailable) // Its connection is closed as well: nobody reads this.
		return
	}
	defer s.ending.inside.Done()
	h := w.Header()
	h["Server"] = []string{"promptd"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if s.cors(w, r) {
		return
	}
	if !clean(r.URL.Path) {
		// The mux would redirect to the path without its dots and doubled slashes; nothing of ours has such a path, so there is nothing at it.
		s.nowhere.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// clean says whether a path is the one that the mux would take it for.
func clean(p string) bool {
	if p == "/" || p == "*" {
		return true
	}
	return path.Clean(p) == strings.TrimSuffix(p, "/") && !strings.HasSuffix(p, "//")
}

// cors answers for the configured origins; it reports whether the request was a preflight and is done.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	origins := s.deps.Settings().Origins
	if len(origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	if !slices.Contains(origins, origin) && !slices.Contains(origins, "*") {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, Idempotent-Replayed, Location, ETag")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, X-Request-ID, traceparent, tracestate")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (s *Server) newCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{server: s, w: &writer{ResponseWriter: w}, r: r, id: s.deps.NewID()}
	if id, err := clientRequestID(r); err == nil {
		c.clientID = id // A bad one is refused where it would be kept.
	}
	return c
}

// endpoint wraps a route: watch, catch panics, let in at the door, tell who calls.
func (s *Server) endpoint(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, visit := s.deps.Watch.Arrived(r.Context(), r)
		c := s.newCall(w, r.WithContext(ctx))
		if rt.openai {
			c.words = &wording{format: rt.format}
		}
		defer func() {
			if v := recover(); v != nil {
				// The value may hold anything, a prompt too; its type and the place are enough.
				c.problem(fault.New(fault.Internal, "something failed inside promptd").Because(fmt.Errorf("panic of type %T\n%s", v, debug.Stack())))
			}
			if c.stream != nil {
				c.stream.close()
			}
			if c.leave != nil {
				c.leave()
			}
			visit.Left(rt.path, c.w.status, c.w.bytes, c.id, c.caller)
		}()
		if err := s.admitted(c, &rt); err != nil {
			c.problem(err)
		}
	})
}

func (s *Server) admitted(c *call, rt *route) error {
	if !rt.open {
		// Health and documents stay reachable when everything else is full.
		if err := s.deps.Door.Enter(c.r.Context()); err != nil {
			return err
		}
		c.atDoor = true
		defer c.leaveDoor()
	}
	if err := s.authenticate(c, rt); err != nil {
		return err
	}
	if err := suits(c, rt); err != nil {
		return err
	}
	return rt.handle(c)
}

// suits refuses query parameters where a route has none, and callers who can't take its answer.
func suits(c *call, rt *route) error {
	if len(rt.media) > 0 && !accepts(c.r.Header["Accept"], rt.media...) {
		return fault.New(fault.NotAcceptable, "the Accept header allows none of %s", strings.Join(rt.media, ", "))
	}
	if c.r.URL.RawQuery == "" || !rt.bare {
		return nil // Or the handler reads them.
	}
	return c.query().done()
}

func (s *Server) authenticate(c *call, rt *route) error {
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

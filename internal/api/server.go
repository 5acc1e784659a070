// Package api is the HTTP front door: it translates between HTTP and the product's own types, and decides nothing itself.
//
// The main type is [Server]. routes.go holds the whole API as one list; each resource has a file with its handlers and the types that document them, from
// which the OpenAPI document is generated. Bodies are read by packages body and prompt, errors leave as RFC 9457 problem documents made in problem.go alone.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/relay"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/usage"
)

// Watch sees requests: metrics, the access log and traces. Implementations are package observe's.
type Watch interface {
	// Arrived begins a request; the returned context carries the trace that the caller's headers began.
	Arrived(ctx context.Context, r *http.Request) (context.Context, Visit)
}

// Visit is one request under way.
type Visit interface {
	// Left ends it. route is the pattern that matched, empty where none did; caller may be nil.
	Left(route string, status int, bytes int64, requestID string, caller *key.Caller)
}

// Verifier tells who a bearer token belongs to.
type Verifier interface {
	Verify(ctx context.Context, token string) (*key.Caller, error)
}

// History is the reading side of the request history.
type History interface {
	Requests(ctx context.Context, reach key.Reach, f usage.Filter) ([]usage.Record, usage.Cursor, error)
	Request(ctx context.Context, reach key.Reach, id string) (usage.Record, error)
	Delete(ctx context.Context, reach key.Reach, id string) error
	Usage(ctx context.Context, reach key.Reach, q usage.Query) (usage.Report, error)
	registry.History
}

// Flusher waits until what was recorded is readable.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Cache is what the API does with the cache: invalidate and count.
type Cache interface {
	cache.StatsReader
	Drop(ctx context.Context, tags ...cache.Tag) (int, error)
}

// Check is one dependency of the health report.
type Check struct {
	Name string
	// Ready says what is wrong, or nil.
	Ready func(ctx context.Context) error
	// Needed dependencies make the service not ready; others only degrade it.
	Needed bool
	// Bridged says whether the service goes on for now without one that is needed: it is degraded then. Nil means that it does not.
	Bridged func() bool
}

// Deps are the server's collaborators; all of them are wanted.
type Deps struct {
	Pipeline    *pipeline.Pipeline
	Relay       *relay.Relay
	Pool        *provider.Pool
	Learned     *router.Learned
	Schemas     *registry.Registry
	Templates   *template.Library
	Keys        *key.Issuer
	Teams       *key.TeamKeeper
	Webhooks    *delivery.Hooks
	Jobs        *job.Service
	Verifier    Verifier
	History     History
	Recorded    Flusher
	Cache       Cache
	Limiter     limit.Limiter
	Door        *limit.Door
	Idempotency *idempotency.Keeper
	Watch       Watch
	Metrics     http.Handler
	Checks      []Check
	Log         *slog.Logger
	NewID       func() string
	Settings    func() Settings
	Version     string
}

// Settings are the configured values that a reload may change.
type Settings struct {
	// BodyBytes is limits.body_bytes.
	BodyBytes int64
	// UploadBytes is limits.upload_bytes.
	UploadBytes int64
	// SchemaBytes is limits.schema_bytes.
	SchemaBytes int
	// Origins is cors.origins.
	Origins []string
	// Anyone is set where auth.mode is none.
	Anyone   bool
	Defaults prompt.Defaults
}

// Server answers the API. It is safe for concurrent use.
type Server struct {
	deps    Deps
	mux     *http.ServeMux
	nowhere http.Handler
	started time.Time
	spec    *file
	pages   map[string]*file
	veil    veil
	ending  *ending
	// streams and uploads are what lasts.
	streams, uploads *lasting
	draining
}

// New makes a server.
func New(d Deps) (*Server, error) {
	s := &Server{deps: d, mux: http.NewServeMux(), started: time.Now(), veil: newVeil(), ending: newEnding()}
	s.streams, s.uploads = newLasting("streams of jobs", mostStreams, mostStreamsOfKey), newLasting("uploads", mostUploads, mostUploadsOfKey)
	if err := s.mount(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler is the API as it is served to callers.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Admin is what admin_listen serves: health and metrics without a key.
func (s *Server) Admin() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/metrics", s.deps.Metrics)
	mux.Handle("GET /metrics", s.deps.Metrics)
	for _, r := range s.routes() {
		if r.admin {
			mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) {
				c := s.newCall(w, req)
				if err := r.handle(c); err != nil {
					c.problem(err)
				}
			})
		}
	}
	return mux
}

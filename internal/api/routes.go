package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// route is one operation of the API.
type route struct {
	method, path string
	// scope is what the key must have; open routes need no key, routes of any scope need a key alone.
	scope key.Scope
	open  bool
	// admin routes are served on admin_listen too.
	admin  bool
	// openai routes speak a format of OpenAI's, in errors too.
	openai bool
	format dialect.Format
	handle func(*call) error
	doc    operation

	// media are the types of a JSON answer and what may stand for it; bare says that no query parameter is taken. Both are the doc's, worked out once.
	media []string
	bare  bool
}

// routes is the whole API.
func (s *Server) routes() []route {
	return []route{
		{method: "POST", path: "/v1/analyze", scope: key.Analyze, handle: s.analyze, doc: docAnalyze()},
		{method: "POST", path: "/v1/analyze/batch", scope: key.Analyze, handle: s.analyzeBatch, doc: docAnalyzeBatch()},
		{method: "POST", path: "/v1/chat/completions", scope: key.Analyze, openai: true, format: dialect.Chat, handle: s.chatCompletions, doc: docChatCompletions()},
		{method: "POST", path: "/v1/responses", scope: key.Analyze, openai: true, format: dialect.Responses, handle: s.responses, doc: docResponses()},
		{method: "POST", path: "/v1/schemas/check", scope: key.Schemas, handle: s.checkSchema, doc: docCheckSchema()},
		{method: "DELETE", path: "/v1/cache", scope: key.Cache, handle: s.dropCache, doc: docDropCache()},
		{method: "GET", path: "/v1/cache/stats", scope: key.Cache, handle: s.cacheStats, doc: docCacheStats()},
		{method: "GET", path: "/v1/requests", scope: key.Requests, handle: s.listRequests, doc: docListRequests()},
		{method: "GET", path: "/v1/requests/{id}", scope: key.Requests, handle: s.readRequest, doc: docReadRequest()},
		{method: "DELETE", path: "/v1/requests/{id}", scope: key.Requests, handle: s.deleteRequest, doc: docDeleteRequest()},
		{method: "GET", path: "/v1/usage", scope: key.Usage, handle: s.readUsage, doc: docUsage()},
		{method: "GET", path: "/v1/providers", handle: s.listProviders, doc: docProviders()},
		{method: "GET", path: "/v1/models", handle: s.listModels, doc: docModels()},
		{method: "POST", path: "/v1/keys", scope: key.Admin, handle: s.createKey, doc: docCreateKey()},
		{method: "GET", path: "/v1/keys", scope: key.Admin, handle: s.listKeys, doc: docListKeys()},
		{method: "DELETE", path: "/v1/keys/{id}", scope: key.Admin, handle: s.revokeKey, doc: docRevokeKey()},
		{method: "POST", path: "/v1/keys/{id}/rotate", scope: key.Admin, handle: s.rotateKey, doc: docRotateKey()},
		{method: "GET", path: "/v1/me", handle: s.readMe, doc: docMe()},
		{method: "GET", path: "/v1/health", open: true, admin: true, handle: s.health, doc: docHealth()},
		{method: "GET", path: "/v1/health/live", open: true, admin: true, handle: s.live, doc: docLive()},
		{method: "GET", path: "/v1/health/ready", open: true, admin: true, handle: s.ready, doc: docReady()},
		{method: "GET", path: "/v1/metrics", scope: key.Metrics, handle: s.metrics, doc: docMetrics()},
		{method: "GET", path: "/openapi.json", open: true, handle: s.openapi, doc: docOpenAPI()},
		{method: "GET", path: "/docs", open: true, handle: s.docs, doc: docDocs()},
		{method: "GET", path: "/docs/{file}", open: true, handle: s.docsFile, doc: docDocsFile()},
	}
}

// mount puts every route on the mux, with an answer of its own for a known path with another method, and one for every unknown path.
func (s *Server) mount() error {
	methods, speaking := map[string][]string{}, map[string]route{}
	var order []string
	for _, r := range s.routes() {
		r.settle()
		s.mux.Handle(r.method+" "+r.path, s.endpoint(r))
		if methods[r.path] == nil {
			order = append(order, r.path)
		}
		methods[r.path], speaking[r.path] = append(methods[r.path], r.method), r
	}
	for _, path := range order {
		allowed := methods[path]
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		allow := strings.Join(allowed, ", ")
		s.mux.Handle(path, s.endpoint(route{path: path, open: true, openai: speaking[path].openai, format: speaking[path].format, handle: func(c *call) error {
			c.w.Header().Set("Allow", allow)
			return fault.New(fault.MethodNotAllowed, "this path takes %s", allow)
		}}))
	}
	s.nowhere = s.endpoint(route{open: true, handle: func(c *call) error {
		if c.r.URL.Path == "/" && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
			http.Redirect(c.w, c.r, "/docs", http.StatusFound)
			return nil
		}
		return notHere()
	}})
	s.mux.Handle("/", s.nowhere)
	return s.document()
}

func notHere() error { return fault.New(fault.NotFound, "there is nothing at this path") }

// settle works out what requests ask of the doc.
func (r *route) settle() {
	if r.doc.document {
		return
	}
	r.bare = len(r.doc.query) == 0
	if r.doc.answersJSON() {
		r.media = r.doc.media()
	}
}

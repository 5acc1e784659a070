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
	admin bool
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
		{method: "POST", path: "/v1/schemas", scope: key.Schemas, handle: s.publishSchema, doc: docPublishSchema()},
		{method: "GET", path: "/v1/schemas", scope: key.Schemas, handle: s.listSchemas, doc: docListSchemas()},
		{method: "GET", path: "/v1/schemas/{name}", scope: key.Schemas, handle: s.readSchema, doc: docReadSchema()},
		{method: "PATCH", path: "/v1/schemas/{name}", scope: key.Schemas, handle: s.changeSchema, doc: docChangeSchema()},
		{method: "DELETE", path: "/v1/schemas/{name}", scope: key.Schemas, handle: s.withdrawSchema, doc: docWithdrawSchema(false)},
		{method: "POST", path: "/v1/schemas/{name}/restore", scope: key.Schemas, handle: s.restoreSchema, doc: docRestoreSchema(false)},
		{method: "POST", path: "/v1/schemas/{name}/compatibility", scope: key.Schemas, handle: s.compareSchema, doc: docCompareSchema()},
		{method: "GET", path: "/v1/schemas/{name}/versions", scope: key.Schemas, handle: s.listVersions, doc: docListVersions()},
		{method: "GET", path: "/v1/schemas/{name}/versions/{version}", scope: key.Schemas, handle: s.readVersion, doc: docReadVersion()},
		{method: "DELETE", path: "/v1/schemas/{name}/versions/{version}", scope: key.Schemas, handle: s.withdrawSchema, doc: docWithdrawSchema(true)},
		{method: "POST", path: "/v1/schemas/{name}/versions/{version}/restore", scope: key.Schemas, handle: s.restoreSchema, doc: docRestoreSchema(true)},
		{method: "GET", path: "/v1/schemas/{name}/versions/{version}/fitness", scope: key.Schemas, handle: s.readFitness, doc: docFitness()},
		{method: "POST", path: "/v1/schemas/check", scope: key.Schemas, handle: s.checkSchema, doc: docCheckSchema()},
		{method: "POST", path: "/v1/schemas/infer", scope: key.Schemas, handle: s.inferSchema, doc: docInferSchema()},
		{method: "POST", path: "/v1/templates", scope: key.Templates, handle: s.publishTemplate, doc: docPublishTemplate()},
		{method: "GET", path: "/v1/templates", scope: key.Templates, handle: s.listTemplates, doc: docListTemplates()},
		{method: "GET", path: "/v1/templates/{name}", scope: key.Templates, handle: s.readTemplate, doc: docReadTemplate()},
		{method: "PATCH", path: "/v1/templates/{name}", scope: key.Templates, handle: s.changeTemplate, doc: docChangeTemplate()},
		{method: "DELETE", path: "/v1/templates/{name}", scope: key.Templates, handle: s.withdrawTemplate, doc: docWithdrawTemplate(false)},
		{method: "POST", path: "/v1/templates/{name}/restore", scope: key.Templates, handle: s.restoreTemplate, doc: docRestoreTemplate(false)},
		{method: "POST", path: "/v1/templates/{name}/render", scope: key.Templates, handle: s.renderTemplate, doc: docRenderTemplate(false)},
		{method: "POST", path: "/v1/templates/{name}/test", scope: key.Templates, handle: s.testTemplate, doc: docTestTemplate(false)},
		{method: "GET", path: "/v1/templates/{name}/versions", scope: key.Templates, handle: s.listTemplateVersions, doc: docListTemplateVersions()},
		{method: "GET", path: "/v1/templates/{name}/versions/{version}", scope: key.Templates, handle: s.readTemplateVersion, doc: docReadTemplateVersion()},
		{method: "DELETE", path: "/v1/templates/{name}/versions/{version}", scope: key.Templates, handle: s.withdrawTemplate, doc: docWithdrawTemplate(true)},
		{method: "POST", path: "/v1/templates/{name}/versions/{version}/restore", scope: key.Templates, handle: s.restoreTemplate, doc: docRestoreTemplate(true)},
		{method: "POST", path: "/v1/templates/{name}/versions/{version}/render", scope: key.Templates, handle: s.renderTemplate, doc: docRenderTemplate(true)},
		{method: "POST", path: "/v1/templates/{name}/versions/{version}/test", scope: key.Templates, handle: s.testTemplate, doc: docTestTemplate(true)},
		{method: "POST", path: "/v1/jobs", scope: key.Jobs, handle: s.submitJob, doc: docSubmitJob()},
		{method: "GET", path: "/v1/jobs", scope: key.Jobs, handle: s.listJobs, doc: docListJobs()},
		{method: "GET", path: "/v1/jobs/{id}", scope: key.Jobs, handle: s.readOneJob, doc: docReadJob()},
		{method: "DELETE", path: "/v1/jobs/{id}", scope: key.Jobs, handle: s.cancelJob, doc: docCancelJob()},
		{method: "POST", path: "/v1/jobs/{id}/retry", scope: key.Jobs, handle: s.retryJob, doc: docRetryJob()},
		{method: "GET", path: "/v1/jobs/{id}/results", scope: key.Jobs, handle: s.jobResults, doc: docJobResults()},
		{method: "GET", path: "/v1/jobs/{id}/events", scope: key.Jobs, handle: s.jobEvents, doc: docJobEvents()},
		{method: "POST", path: "/v1/webhooks", scope: key.Jobs, handle: s.createWebhook, doc: docCreateWebhook()},
		{method: "GET", path: "/v1/webhooks", scope: key.Jobs, handle: s.listWebhooks, doc: docListWebhooks()},
		{method: "GET", path: "/v1/webhooks/{id}", scope: key.Jobs, handle: s.readWebhook, doc: docReadWebhook()},
		{method: "PATCH", path: "/v1/webhooks/{id}", scope: key.Jobs, handle: s.changeWebhook, doc: docChangeWebhook()},
		{method: "DELETE", path: "/v1/webhooks/{id}", scope: key.Jobs, handle: s.deleteWebhook, doc: docDeleteWebhook()},
		{method: "POST", path: "/v1/webhooks/{id}/rotate", scope: key.Jobs, handle: s.rotateWebhook, doc: docRotateWebhook()},
		{method: "POST", path: "/v1/webhooks/{id}/ping", scope: key.Jobs, handle: s.pingWebhook, doc: docPingWebhook()},
		{method: "GET", path: "/v1/deliveries", scope: key.Jobs, handle: s.listDeliveries, doc: docListDeliveries()},
		{method: "GET", path: "/v1/deliveries/{id}", scope: key.Jobs, handle: s.readDelivery, doc: docReadDelivery()},
		{method: "POST", path: "/v1/deliveries/{id}/redeliver", scope: key.Jobs, handle: s.redeliver, doc: docRedeliver()},
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
		{method: "GET", path: "/v1/teams", scope: key.Admin, handle: s.listTeams, doc: docListTeams()},
		{method: "GET", path: "/v1/teams/{name}", scope: key.Admin, handle: s.readTeam, doc: docReadTeam()},
		{method: "PUT", path: "/v1/teams/{name}", scope: key.Admin, handle: s.setTeam, doc: docSetTeam()},
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
	byPath := map[string]byMethod{}
	for _, r := range s.routes() {
		r.settle()
		if methods[r.path] == nil {
			byPath[r.path] = byMethod{}
			order = append(order, r.path)
		}
		byPath[r.path][r.method] = s.endpoint(r)
		methods[r.path], speaking[r.path] = append(methods[r.path], r.method), r
	}
	for _, path := range order {
		allowed := methods[path]
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		allow := strings.Join(allowed, ", ")
		s.mux.Handle(path, byPath[path].or(s.endpoint(route{path: path, open: true, openai: speaking[path].openai, format: speaking[path].format, handle: func(c *call) error {
			c.w.Header().Set("Allow", allow)
			return fault.New(fault.MethodNotAllowed, "this path takes %s", allow)
		}})))
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

// byMethod are the endpoints of a path. The mux knows paths alone: with methods it would hold /v1/schemas/check against GET /v1/schemas/{name}.
type byMethod map[string]http.Handler

// or takes every method: other is for those that the path does not have. HEAD is a GET whose body is not sent.
func (m byMethod) or(other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := m[method]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
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

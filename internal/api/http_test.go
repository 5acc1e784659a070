package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/v1/nothing", 404, "NOT_FOUND", ""},
		{"GET", "/v1", 404, "NOT_FOUND", ""},
		{"POST", "/", 404, "NOT_FOUND", ""},
		{"POST", "/v1/analyze/", 404, "NOT_FOUND", ""},
		{"GET", "/v1/requests/", 404, "NOT_FOUND", ""},
		{"GET", "/v1//me", 404, "NOT_FOUND", ""},
		{"GET", "/v1/./me", 404, "NOT_FOUND", ""},
		{"GET", "/v1/x/../me", 404, "NOT_FOUND", ""},
		{"GET", "//", 404, "NOT_FOUND", ""},
		{"GET", "/docs/", 404, "NOT_FOUND", ""},
		{"GET", "/docs/nothing.js", 404, "NOT_FOUND", ""},
		{"GET", "/docs/index.html", 404, "NOT_FOUND", ""},
		{"GET", "/docs/..%2fserver.go", 404, "NOT_FOUND", ""},
		{"GET", "/v1/analyze", 405, "METHOD_NOT_ALLOWED", "POST"},
		{"PUT", "/v1/keys", 405, "METHOD_NOT_ALLOWED", "POST, GET, HEAD"},
		{"OPTIONS", "/v1/me", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"},
		{"TRACE", "/v1/requests/x", 405, "METHOD_NOT_ALLOWED", "GET, DELETE, HEAD"},
		{"NONSENSE", "/v1/cache", 405, "METHOD_NOT_ALLOWED", "DELETE"},
		{"POST", "/docs", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"},
	} {
		a := w.do(ask{method: c.method, path: c.path})
		a.problem(t, c.status, c.code)
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: got Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	if a := w.get("/"); a.status != 302 || a.header.Get("Location") != "/docs" {
		t.Errorf("GET /: got %d to %q, want 302 to /docs", a.status, a.header.Get("Location"))
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/me", "/v1/health", "/v1/requests", "/docs", "/openapi.json"} {
		got, head := w.get(path), w.do(ask{method: "HEAD", path: path})
		if head.status != 200 || head.body != "" || head.header.Get("Content-Type") != got.header.Get("Content-Type") {
			t.Errorf("HEAD %s: got %d %q with %d bytes, want 200 %q with none", path, head.status, head.header.Get("Content-Type"), len(head.body), got.header.Get("Content-Type"))
		}
	}
	if head := w.do(ask{method: "HEAD", path: "/v1/requests/nothing"}); head.status != 404 || head.body != "" {
		t.Errorf("HEAD of nothing: got %d with %d bytes, want 404 with none", head.status, len(head.body))
	}
}

func TestKeysOpenWhatTheirScopesSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scopes := map[string]key.Scope{
		"POST /v1/analyze": key.Analyze, "DELETE /v1/cache?all=true": key.Cache, "GET /v1/cache/stats": key.Cache, "GET /v1/requests": key.Requests,
		"GET /v1/requests/x": key.Requests, "DELETE /v1/requests/x": key.Requests, "GET /v1/usage": key.Usage, "POST /v1/keys": key.Admin, "GET /v1/keys": key.Admin,
		"DELETE /v1/keys/x": key.Admin, "POST /v1/keys/x/rotate": key.Admin, "GET /v1/metrics": key.Metrics, "GET /v1/me": 0,
	}
	for name, scope := range scopes {
		method, path, _ := strings.Cut(name, " ")
		has := w.newKey(key.Key{Name: "has", Scopes: key.ScopesOf(scope, key.Jobs)})
		lacks := w.newKey(key.Key{Name: "lacks", Scopes: key.AllScopes &^ key.ScopesOf(scope)})
		none := w.do(ask{method: method, path: path, key: "-"})
		none.problem(t, 401, "UNAUTHORIZED")
		if !strings.HasPrefix(none.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: got WWW-Authenticate %q, want Bearer", name, none.header.Get("WWW-Authenticate"))
		}
		if scope != 0 {
			p := w.do(ask{method: method, path: path, key: lacks}).problem(t, 403, "FORBIDDEN")
			if !strings.Contains(p.Detail, scope.String()) {
				t.Errorf("%s: got the detail %q, want the scope %s named", name, p.Detail, scope)
			}
		}
		if a := w.do(ask{method: method, path: path, key: has}); a.status == 401 || a.status == 403 {
			t.Errorf("%s: a key with the scope got %d: %s", name, a.status, a.body)
		}
	}
	for _, header := range []string{"", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer pd_live_nonsense", "bearer  " + "x", "pd_live_x"} {
		w.do(ask{method: "GET", path: "/v1/me", key: "-", header: headers("Authorization", header)}).problem(t, 401, "UNAUTHORIZED")
	}
	if a := w.do(ask{method: "GET", path: "/v1/me", key: "-", header: headers("Authorization", "bEaReR "+w.admin)}); a.status != 200 {
		t.Errorf("the scheme in other letters: got %d, want 200", a.status)
	}
}

func TestUnknownQueryParametersAreRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{
		"POST /v1/analyze", "DELETE /v1/cache", "GET /v1/cache/stats", "GET /v1/requests", "GET /v1/requests/x", "DELETE /v1/requests/x", "GET /v1/usage", "POST /v1/keys",
		"GET /v1/keys", "DELETE /v1/keys/x", "POST /v1/keys/x/rotate", "GET /v1/metrics", "GET /v1/me", "GET /v1/health", "GET /v1/health/live", "GET /v1/health/ready",
	} {
		method, path, _ := strings.Cut(name, " ")
		body := ""
		if method == "POST" {
			body = `{"prompt": "x"}`
		}
		p := w.do(ask{method: method, path: path + "?Bogus=1", body: body}).problem(t, 400, "INVALID_REQUEST")
		if len(p.Errors) == 0 || p.Errors[len(p.Errors)-1].Rule != "unknown_parameter" || !strings.Contains(p.Detail+p.Errors[len(p.Errors)-1].Message, "Bogus") {
			t.Errorf("%s: got %+v, want the parameter named", name, p)
		}
	}
	if a := w.get("/docs?utm_source=x"); a.status != 200 {
		t.Errorf("the docs page: got %d, want 200 whatever the query", a.status)
	}
	w.get("/v1/me?a=%zz").problem(t, 400, "INVALID_REQUEST")
}

func TestQueryParametersAreHeldToTheirForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ path, rule string }{
		{"/v1/requests?limit=0", "range"},
		{"/v1/requests?limit=501", "range"},
		{"/v1/requests?limit=x", "range"},
		{"/v1/requests?limit=1&limit=2", "once"},
		{"/v1/requests?status=99", "range"},
		{"/v1/requests?from=yesterday", "format"},
		{"/v1/requests?cursor=!", "cursor"},
		{"/v1/requests?validation_status=fine", "enum"},
		{"/v1/requests?model=%00", "format"},
		{"/v1/requests?model=" + strings.Repeat("x", 513), "format"},
		{"/v1/keys?cursor=key_x", "cursor"},
		{"/v1/usage?group_by=colour", "enum"},
		{"/v1/usage?group_by=day,day", "enum"},
		{"/v1/usage?group_by=", "minItems"},
		{"/v1/usage?all_teams=yes", "type"},
	} {
		p := w.get(c.path).problem(t, 400, "INVALID_REQUEST")
		if len(p.Errors) != 1 || p.Errors[0].Rule != c.rule {
			t.Errorf("%s: got %+v, want one entry %s", c.path, p.Errors, c.rule)
		}
	}
	for _, path := range []string{
		"/v1/requests?limit=500&from=2026-11-24&to=2026-11-24T08:00:00%2B02:00&status=200&validation_status=passed&key=&provider=%C3%BC", "/v1/requests?from=0001-01-01T00:00:00Z&to=9999-12-31t23:59:59z",
		"/v1/usage?group_by=key,team,provider,model,schema,day&all_teams=true", "/v1/keys?limit=1",
	} {
		if a := w.get(path); a.status != 200 {
			t.Errorf("%s: got %d, want 200: %s", path, a.status, a.body)
		}
	}
}

func TestOriginsAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	origin := func(o string) http.Header { return headers("Origin", o) }
	preflight := func(o string) http.Header {
		return headers("Origin", o, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	}
	if a := w.do(ask{method: "GET", path: "/v1/me", header: origin("https://app.example")}); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "" {
		t.Errorf("without configured origins: got the headers %v", a.header)
	}
	w.do(ask{method: "OPTIONS", path: "/v1/analyze", key: "-", header: preflight("https://app.example")}).problem(t, 405, "METHOD_NOT_ALLOWED")

	settings := *w.settings.Load()
	settings.Origins = []string{"https://app.example"}
	w.settings.Store(&settings)
	a := w.do(ask{method: "OPTIONS", path: "/v1/analyze", key: "-", header: preflight("https://app.example")})
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
		t.Errorf("preflight: got %d with %v, want 204 that allows the origin", a.status, a.header)
	}
	a = w.do(ask{method: "GET", path: "/v1/nothing", header: origin("https://app.example")})
	if a.header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "RateLimit") {
		t.Errorf("a fault: got %v, want it readable from the origin too", a.header)
	}
	if a := w.do(ask{method: "GET", path: "/v1/me", header: origin("https://evil.example")}); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "Origin" {
		t.Errorf("another origin: got %v, want nothing allowed and Vary: Origin", a.header)
	}
	if a := w.get("/v1/me"); a.header.Get("Vary") != "Origin" {
		t.Errorf("without an origin: got Vary %q, want Origin, since caches keep this answer", a.header.Get("Vary"))
	}
	w.do(ask{method: "OPTIONS", path: "/v1/analyze", key: "-", header: preflight("https://evil.example")}).problem(t, 405, "METHOD_NOT_ALLOWED")
}

func TestFullDoorTurnsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) { w.slots = 1 })
	if err := w.door.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := w.post("/v1/analyze", askNumber)
	a.problem(t, 503, "OVERLOADED")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("got Retry-After %q, want 1", a.header.Get("Retry-After"))
	}
	for _, path := range []string{"/v1/health", "/v1/health/live", "/v1/health/ready", "/openapi.json", "/docs"} {
		if a := w.do(ask{method: "GET", path: path, key: "-"}); a.status != 200 {
			t.Errorf("%s behind a full door: got %d, want 200", path, a.status)
		}
	}
	w.door.Leave()
	if a := w.post("/v1/analyze", askNumber); a.status != 200 {
		t.Errorf("with room: got %d, want 200", a.status)
	}
	if n := w.door.Load().Inside; n != 0 {
		t.Errorf("%d are still inside", n)
	}
}

func TestPanicsTellNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exploding.Store(true)
	a := w.post("/v1/analyze", askNumber)
	p := a.problem(t, 500, "INTERNAL_ERROR")
	if strings.Contains(a.body, "secret") || strings.Contains(a.body, "goroutine") || strings.Contains(a.body, ".go") {
		t.Errorf("the answer shows internals: %s", a.body)
	}
	log := w.logs.String()
	if !strings.Contains(log, p.RequestID) || !strings.Contains(log, "panic of type string") || strings.Contains(log, "a secret prompt text") {
		t.Errorf("got the log %s, want the request's id and the place without the panic's value", log)
	}
	w.exploding.Store(false)
	if a := w.post("/v1/analyze", askNumber); a.status != 200 || w.door.Load().Inside != 0 {
		t.Errorf("afterwards: got %d with %d inside, want 200 with none", a.status, w.door.Load().Inside)
	}
}

func TestHealthTellsWhatIsWrongAndNotWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type health struct {
		Status       string
		Dependencies map[string]struct{ Status string }
	}
	look := func(path string, status int) health {
		a := w.do(ask{method: "GET", path: path, key: "-"})
		if strings.Contains(a.body, "secret") {
			t.Errorf("%s shows internals: %s", path, a.body)
		}
		var h health
		a.into(t, status, &h)
		return h
	}
	if h := look("/v1/health/ready", 200); h.Status != "ok" || h.Dependencies["store"].Status != "ok" {
		t.Errorf("got %+v, want ok", h)
	}
	w.sick.Store(true)
	if h := look("/v1/health/ready", 503); h.Status != "unavailable" || h.Dependencies["store"].Status != "unavailable" {
		t.Errorf("got %+v, want unavailable", h)
	}
	look("/v1/health", 200)
	look("/v1/health/live", 200)
	w.bridged.Store(true)
	if h := look("/v1/health/ready", 200); h.Status != "degraded" || h.Dependencies["store"].Status != "unavailable" {
		t.Errorf("with what bridges it: got %+v, want degraded", h)
	}
	w.sick.Store(false)
	w.server.Drain()
	look("/v1/health/ready", 503)
	if a := w.post("/v1/analyze", askNumber); a.status != 200 {
		t.Errorf("while draining: got %d, want requests still answered", a.status)
	}
}

func TestMetricsNeedTheirScopeAndNoneOnTheAdminListener(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.get("/v1/metrics"); a.status != 200 || a.body != "up 1\n" {
		t.Errorf("got %d %q, want the metrics", a.status, a.body)
	}
	for path, want := range map[string]int{"/v1/metrics": 200, "/metrics": 200, "/v1/health/ready": 200, "/v1/me": 404} {
		var got recorder
		w.server.Admin().ServeHTTP(&got, request(t, path))
		if got.status != want {
			t.Errorf("admin %s: got %d, want %d", path, got.status, want)
		}
	}
}

// recorder keeps the status of an answer.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return len(b), nil
}

func (r *recorder) WriteHeader(status int) { r.status = status }

func request(tb testing.TB, path string) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestWithoutKeysEverybodyMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settings := *w.settings.Load()
	settings.Anyone = true
	w.settings.Store(&settings)
	var me struct{ Name, Team string }
	w.do(ask{method: "GET", path: "/v1/me", key: "-"}).into(t, 200, &me)
	if me.Name != "anyone" || me.Team != "default" {
		t.Errorf("got %+v, want anyone of the default team", me)
	}
	if a := w.do(ask{method: "GET", path: "/v1/keys", key: "-"}); a.status != 200 {
		t.Errorf("got %d, want 200", a.status)
	}
}

// A caller who leaves is no fault of the service: the watch is told 499, and nothing is logged as an error.
func TestCallersWhoLeaveAreNoFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	w.service.Queue(providertest.Reply{Hold: hold})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		for w.service.InFlight() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: the service has no event for a request that came.
		}
		leave()
	}()
	if res, err := w.send(ask{method: "POST", path: "/v1/analyze", body: askNumber, ctx: ctx}); err == nil {
		res.Body.Close()
		t.Fatalf("got status %d, want the request cancelled", res.StatusCode)
	}
	for len(w.visits.all()) == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: the handler ends after its caller.
	}
	if v := w.visits.all(); v[0].status != 499 {
		t.Errorf("got the visit %+v, want 499", v[0])
	}
	if log := w.logs.String(); log != "" {
		t.Errorf("got the log %s, want none", log)
	}
}

// A body that is announced and never comes, and one that is cut, are the caller's faults.
func TestCutBodiesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "POST /v1/analyze HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.admin + "\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(100) + "\r\n\r\n{\"prompt\""
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // It was dialled as TCP.
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var p problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != 400 || p.Code != "INVALID_REQUEST" {
		t.Errorf("got %d %s (%v), want 400 INVALID_REQUEST", res.StatusCode, p.Code, err)
	}
}

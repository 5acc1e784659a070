package client

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryCallUsesItsMethodPathAndQuery(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.FixedZone("", 3600))
	for _, test := range []struct {
		want, answer string
		call         func(*Client) error
	}{
		{`POST /v1/keys {"name":"n","team":"t","scopes":["analyze"],"rate_limit_per_hour":0,"expires_at":"2026-11-24T00:00:00+01:00"}`, `{"id":"k1","key":"pd_live_s"}`, func(c *Client) error {
			k, err := c.CreateKey(t.Context(), KeyRequest{Name: "n", Team: "t", Scopes: []string{"analyze"}, RateLimitPerHour: new(0), ExpiresAt: day})
			return both(err, k.ID == "k1" && k.Secret == "pd_live_s")
		}},
		{`GET /v1/keys?cursor=c&limit=7`, `{"data":[{"id":"k1"}],"next_cursor":"d"}`, func(c *Client) error {
			l, err := c.ListKeys(t.Context(), Page{Limit: 7, Cursor: "c"})
			return both(err, len(l.Data) == 1 && l.NextCursor == "d")
		}},
		{`POST /v1/keys/k1/rotate {"grace_seconds":60}`, `{"id":"k1","key":"pd_live_s"}`, func(c *Client) error {
			k, err := c.RotateKey(t.Context(), "k1", time.Minute)
			return both(err, k.Secret == "pd_live_s")
		}},
		{`DELETE /v1/keys/k1`, ``, func(c *Client) error { return c.RevokeKey(t.Context(), "k1") }},
		{`GET /v1/requests?from=2026-11-23T23%3A00%3A00Z&model=m&status=200`, `{"data":[]}`, func(c *Client) error {
			l, err := c.ListRequests(t.Context(), Filter{From: day, Model: "m", Status: 200})
			return both(err, len(l.Data) == 0)
		}},
		{`GET /v1/requests/r1`, `{"request_id":"r1","cost_usd":null,"attempts":[{"n":1}]}`, func(c *Client) error {
			r, err := c.Request(t.Context(), "r1")
			return both(err, r.RequestID == "r1" && r.CostUSD == nil && r.Attempts[0].N == 1)
		}},
		{`DELETE /v1/requests/r1`, ``, func(c *Client) error { return c.DeleteRequest(t.Context(), "r1") }},
		{`GET /v1/usage?all_teams=true&group_by=key%2Cday&to=2026-11-23T23%3A00%3A00Z`, `{"rows":[{"key":"k","day":"2026-11-24","requests":2}],"total":{"requests":2,"cost_usd":0.1}}`, func(c *Client) error {
			u, err := c.Usage(t.Context(), UsageQuery{To: day, GroupBy: []string{"key", "day"}, AllTeams: true})
			return both(err, u.Rows[0].Requests == 2 && u.Total.CostUSD == "0.1")
		}},
		{`DELETE /v1/cache?schema=invoice%403`, `{"dropped":4}`, func(c *Client) error {
			n, err := c.DropCache(t.Context(), Drop{Schema: "invoice@3"})
			return both(err, n == 4)
		}},
		{`GET /v1/cache/stats`, `{"hits":3,"hit_ratio":0.5,"max_bytes":9}`, func(c *Client) error {
			s, err := c.CacheStats(t.Context())
			return both(err, s.Hits == 3 && *s.HitRatio == 0.5 && s.MaxBytes == 9)
		}},
		{`GET /v1/me`, `{"id":"k1","rate_limit":{"per_hour":5,"remaining":4,"reset_seconds":1.5}}`, func(c *Client) error {
			m, err := c.Me(t.Context())
			return both(err, m.RateLimit.Remaining == 4)
		}},
		{`GET /v1/providers`, `{"data":[{"name":"p","in_flight":2,"models":["m"],"health":"down","standing":[{"breaker":"open","open_until":"2026-11-26T15:00:00Z","success_share":null,"latency_ms":{"p50":1.5}}]}]}`, func(c *Client) error {
			l, err := c.Providers(t.Context())
			s := l[0].Standing[0]
			return both(err, len(l) == 1 && l[0].InFlight == 2 && l[0].Models[0] == "m" && l[0].Health == "down" && s.OpenUntil.Hour() == 15 && s.SuccessShare == nil && *s.LatencyMS.P50 == 1.5 && s.LatencyMS.P95 == nil)
		}},
		{`GET /v1/models`, `{"object":"list","data":[{"id":"p/m","context_window":null,"price":{"input":0.1,"above":[{"tokens":9,"output":2.5}]}},{"price":null}]}`, func(c *Client) error {
			l, err := c.Models(t.Context())
			return both(err, l[0].ID == "p/m" && l[0].ContextWindow == nil && l[0].Price.Input == "0.1" && l[0].Price.Above[0].Output == "2.5" && l[1].Price == nil)
		}},
		{`GET /v1/health`, `{"status":"ok","dependencies":{"store":{"status":"ok","needed":true}}}`, func(c *Client) error {
			h, err := c.Health(t.Context())
			return both(err, h.Dependencies["store"].Needed)
		}},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got := r.Method + " " + r.URL.RequestURI()
				if len(body) > 0 {
					got += " " + string(body[:len(body)-1])
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("call (-want +got):\n%s", diff)
				}
				if test.answer == "" {
					w.WriteHeader(http.StatusNoContent)
				}
				_, _ = io.WriteString(w, test.answer)
			})
			if err := test.call(c); err != nil {
				t.Error(err)
			}
		})
	}
}

func both(err error, read bool) error {
	if err == nil && !read {
		return fmt.Errorf("the answer was read wrongly")
	}
	return err
}

func TestListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("model") != "" && r.URL.Query().Get("model") != "m" {
			t.Errorf("the filter changed: %s", r.URL)
		}
		switch r.URL.Query().Get("cursor") {
		case "":
			_, _ = io.WriteString(w, `{"data":[{"id":"1","request_id":"1"},{"id":"2","request_id":"2"}],"next_cursor":"n"}`)
		case "n":
			_, _ = io.WriteString(w, `{"data":[{"id":"3","request_id":"3"}]}`)
		default:
			t.Errorf("cursor %s", r.URL)
		}
	})
	var keys, requests []string
	for k, err := range c.Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k.ID)
	}
	for r, err := range c.Requests(t.Context(), Filter{Model: "m"}) {
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, r.RequestID)
	}
	want := []string{"1", "2", "3"}
	if diff := cmp.Diff([][]string{want, want}, [][]string{keys, requests}); diff != "" {
		t.Error(diff)
	}
}

func TestReadyTellsNoFromAFault(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status      int
		body        string
		ready, fail bool
	}{
		{200, `{"status":"ok"}`, true, false},
		{503, `{"status":"unavailable","dependencies":{"store":{"status":"unavailable","needed":true}}}`, false, false},
		{503, `service unavailable`, false, true},
		{404, `{}`, false, true},
		{200, `{}`, false, true},
	} {
		c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		h, ready, err := c.Ready(t.Context())
		if ready != test.ready || (err != nil) != test.fail || (err == nil) != (h != nil) {
			t.Errorf("%d %s: got %v, %v, %v", test.status, test.body, h, ready, err)
		}
	}
}

func TestIdsThatWouldBeAnotherPathAreRefused(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("called %s", r.URL) })
	for _, id := range []string{"", "..", ".", "a/b", "a?b", "ä", "a b", "%2e"} {
		if err := c.RevokeKey(t.Context(), id); err == nil {
			t.Errorf("%q was taken", id)
		}
		if err := c.DeleteRequest(t.Context(), id); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
	if _, err := c.DropCache(t.Context(), Drop{All: true, Key: "k"}); err == nil {
		t.Error("two targets were taken")
	}
	if _, err := c.DropCache(t.Context(), Drop{}); err == nil {
		t.Error("no target was taken")
	}
}

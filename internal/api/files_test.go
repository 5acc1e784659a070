package api_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestDocumentsAreKeptForADayAndComparedByETag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, kind := range map[string]string{
		"/openapi.json": "application/json", "/docs": "text/html; charset=utf-8", "/docs/app.js": "text/javascript; charset=utf-8", "/docs/style.css": "text/css; charset=utf-8",
	} {
		a := w.do(ask{method: "GET", path: path, key: "-"})
		etag := a.header.Get("ETag")
		if a.status != 200 || a.header.Get("Content-Type") != kind || a.header.Get("Cache-Control") != "public, max-age=86400" || len(etag) < 10 {
			t.Errorf("%s: got %d with %v, want 200 %s for a day with an ETag", path, a.status, a.header, kind)
		}
		for tag, want := range map[string]int{etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, "*": 304, `"x"`: 200, strings.Trim(etag, `"`): 200} {
			again := w.do(ask{method: "GET", path: path, key: "-", header: headers("If-None-Match", tag)})
			if again.status != want || want == 304 && (again.body != "" || again.header.Get("ETag") != etag) {
				t.Errorf("%s with If-None-Match %s: got %d with %d bytes, want %d", path, tag, again.status, len(again.body), want)
			}
		}
	}
}

// The page has to work offline and under its own policy: nothing inline, nothing from elsewhere, and it is small.
func TestDocsPageStandsOnItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.get("/docs")
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("got the policy %q, want %q in it", policy, want)
		}
	}
	for _, bad := range []string{"unsafe", "http:", "https:", "*"} {
		if strings.Contains(policy, bad) {
			t.Errorf("got the policy %q with %q in it", policy, bad)
		}
	}
	links := regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(links) < 3 {
		t.Fatalf("got %d links in the page, want its script, style and the document", len(links))
	}
	for _, link := range links {
		if strings.HasPrefix(link[1], "data:") {
			continue
		}
		a := w.do(ask{method: "GET", path: "/" + link[1], key: "-"})
		if a.status != 200 {
			t.Errorf("%s: got %d, want 200", link[1], a.status)
		}
		for _, bad := range []string{"http://", "https://", "innerHTML", "eval(", "@import", "localStorage", "sessionStorage", "document.cookie"} {
			if !strings.HasSuffix(link[1], ".json") && strings.Contains(a.body, bad) {
				t.Errorf("%s has %q in it", link[1], bad)
			}
		}
		if strings.Contains(link[1], ".js?") && len(a.body) > 40_000 {
			t.Errorf("%s has %d bytes, want less than 40 kB", link[1], len(a.body))
		}
	}
	if regexp.MustCompile(`<style|style="|<script>|\son[a-z]+="`).MatchString(page.body) {
		t.Errorf("the page has inline styles or scripts, which its policy forbids")
	}
}

package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy is the Content-Security-Policy of the docs page: nothing but its own files, nothing inline, in no frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is something that is served as it is, with an ETag, for a day.
type file struct {
	contentType, policy, etag string
	body                      []byte
}

func newFile(contentType, policy string, body []byte) *file {
	sum := sha256.Sum256(body)
	return &file{contentType: contentType, policy: policy, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body}
}

// docsPage gives the files of the docs page by name. The page names its files with a piece of their hash, so that no cache mixes two versions.
func docsPage() (map[string]*file, error) {
	types := map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	files := map[string]*file{}
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		return nil, fmt.Errorf("list the docs page: %w", err)
	}
	for _, entry := range entries {
		raw, err := fs.ReadFile(pageFiles, "page/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read the docs page: %w", err)
		}
		files[entry.Name()] = newFile(types[path.Ext(entry.Name())], pagePolicy, raw)
	}
	index := files[pageIndex]
	if index == nil {
		return nil, fmt.Errorf("read the docs page: %s is missing", pageIndex)
	}
	body := index.body
	for name, f := range files {
		body = bytes.ReplaceAll(body, []byte("docs/"+name), []byte("docs/"+name+"?v="+strings.Trim(f.etag, `"`)[:8]))
	}
	files[pageIndex] = newFile(index.contentType, pagePolicy, body)
	return files, nil
}

const pageIndex = "index.html"

// serve answers a GET or HEAD, with 304 where the caller has this very content.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "public, max-age=86400")
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	if f.matches(r.Header.Values("If-None-Match")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) //nolint:errcheck // As in bytes.
	}
}

// matches compares weakly, as If-None-Match wants it (RFC 9110, 13.1.2).
func (f *file) matches(values []string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == f.etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// openapi is GET /openapi.json.
func (s *Server) openapi(c *call) error {
	s.spec.serve(c.w, c.r)
	return nil
}

// docs is GET /docs.
func (s *Server) docs(c *call) error {
	s.pages[pageIndex].serve(c.w, c.r)
	return nil
}

// docsFile is GET /docs/{file}.
func (s *Server) docsFile(c *call) error {
	f, ok := s.pages[c.r.PathValue("file")]
	if !ok || f == s.pages[pageIndex] {
		return notHere()
	}
	f.serve(c.w, c.r)
	return nil
}

func fileReply(media, text string) []reply {
	headers := []string{"ETag", "Cache-Control"}
	c := content{schema: textSchema("")}
	if media == mediaJSON {
		c.schema = objectSchema("An OpenAPI 3.1 document.")
	}
	return []reply{
		{status: http.StatusOK, text: text, headers: headers, contents: map[string]content{media: c}},
		{status: http.StatusNotModified, text: "The caller has this content already: If-None-Match named its ETag.", headers: headers},
	}
}

func docOpenAPI() operation {
	return operation{
		id: "readOpenAPI", tag: "documents", summary: "This document", text: "It may be kept for a day; If-None-Match with its ETag gives 304.",
		document: true, answers: fileReply(mediaJSON, "The OpenAPI document of this server."),
	}
}

func docDocs() operation {
	return operation{
		id: "readDocs", tag: "documents", summary: "The docs page", text: "It shows the OpenAPI document; all its files come from here.",
		document: true, answers: fileReply("text/html", "The page."),
	}
}

func docDocsFile() operation {
	o := operation{id: "readDocsFile", tag: "documents", summary: "A file of the docs page", document: true, codes: notFound()}
	o.path = map[string]*paramShape{"file": {Description: "The file's name.", Schema: nameSchema("app.js", "style.css")}}
	o.answers = fileReply("text/javascript", "The file.")
	o.answers[0].contents["text/css"] = content{schema: textSchema("")}
	return o
}

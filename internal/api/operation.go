package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
)

// operation is what the OpenAPI document says of a route beyond what follows from the route itself: path parameters, security and the faults that
// every route of its kind can have are added by document.
type operation struct {
	id, tag, summary, text string
	// query are the parameters that the handler reads; a route without any refuses every parameter.
	query   []*huma.Param
	headers []*huma.Param
	// path describes the path's parameters by name.
	path map[string]*huma.Param
	body *input
	// answers are the successes; faults are codes.
	answers []reply
	codes   []fault.Code
	// document marks pages and files: they take any query, since links are shared with parameters of all kinds.
	document bool
}

// input is a JSON body.
type input struct {
	of       reflect.Type
	optional bool
	// lines says that JSON in lines is taken too.
	lines    bool
	text     string
	examples map[string]*huma.Example
}

// reply is a success.
type reply struct {
	status  int
	text    string
	headers []string
	// contents are by media type; without any the answer has no body.
	contents map[string]content
}

// content is a body: a type from which the schema is made, or a schema.
type content struct {
	of       reflect.Type
	schema   *huma.Schema
	examples map[string]*huma.Example
	// events are the data of each kind of server-sent event.
	events map[string]reflect.Type
}

const (
	mediaJSON    = "application/json"
	mediaProblem = "application/problem+json"
	mediaEvents  = "text/event-stream"
)

// jsonReply is an answer of that type.
func jsonReply(status int, of reflect.Type, text string, example any) reply {
	c := content{of: of}
	if example != nil {
		c.examples = map[string]*huma.Example{"example": {Value: example}}
	}
	return reply{status: status, text: text, contents: map[string]content{mediaJSON: c}}
}

// with adds headers to a reply.
func (r reply) with(headers ...string) reply {
	r.headers = append(r.headers, headers...)
	return r
}

// examples are one named example of a body.
func examples(name, text string) map[string]*huma.Example {
	return map[string]*huma.Example{name: {Value: example(text)}}
}

func notFound() []fault.Code { return []fault.Code{fault.NotFound} }

// answersJSON says whether the route answers with JSON, so that an Accept header has to allow it.
func (o *operation) answersJSON() bool {
	for _, r := range o.answers {
		if _, ok := r.contents[mediaJSON]; ok {
			return true
		}
	}
	return false
}

// media are the types of the successes.
func (o *operation) media() []string {
	var kinds []string
	for _, r := range o.answers {
		for kind := range r.contents {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

// faults are all the codes that a route can answer with.
func (r *route) faults() []fault.Code {
	codes := append([]fault.Code{fault.Internal}, r.doc.codes...)
	if !r.doc.document {
		codes = append(codes, fault.InvalidRequest)
	}
	if !r.open {
		codes = append(codes, fault.Unauthorized, fault.Overloaded)
	}
	if r.scope != 0 {
		codes = append(codes, fault.Forbidden)
	}
	if r.doc.answersJSON() && !r.doc.document {
		codes = append(codes, fault.NotAcceptable)
	}
	if r.doc.body != nil {
		codes = append(codes, fault.UnsupportedMediaType, fault.PayloadTooLarge)
	}
	if r.method == http.MethodPost {
		codes = append(codes, fault.Conflict)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// operation makes the route's part of the document.
func (d *documenter) operation(r *route) *huma.Operation {
	o := &huma.Operation{
		OperationID: r.doc.id, Tags: []string{r.doc.tag}, Summary: r.doc.summary, Description: r.doc.text, Responses: map[string]*huma.Response{},
	}
	if r.open {
		o.Security = []map[string][]string{}
		o.Extensions = map[string]any{"security": []any{}} // An empty list says "no key"; the generator leaves empty lists out.
	}
	if r.scope != 0 {
		o.Extensions = map[string]any{"x-scope": r.scope.String()}
	}
	for _, name := range pathParameters(r.path) {
		p := r.doc.path[name]
		p.Name, p.In, p.Required = name, "path", true
		o.Parameters = append(o.Parameters, p)
	}
	o.Parameters = append(o.Parameters, r.doc.query...)
	o.Parameters = append(o.Parameters, r.doc.headers...)
	if r.method == http.MethodPost {
		o.Parameters = append(o.Parameters, &huma.Param{Ref: "#/components/parameters/IdempotencyKey"})
	}
	if in := r.doc.body; in != nil {
		o.RequestBody = &huma.RequestBody{
			Description: in.text, Required: !in.optional,
			Content: map[string]*huma.MediaType{mediaJSON: {Schema: d.schema(in.of), Examples: in.examples}},
		}
		if in.lines {
			o.RequestBody.Content[mediaLines] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		}
	}
	for _, a := range r.doc.answers {
		o.Responses[strconv.Itoa(a.status)] = d.response(a)
	}
	d.problems(o, r)
	return o
}

func pathParameters(path string) []string {
	var names []string
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

func (d *documenter) response(a reply) *huma.Response {
	res := &huma.Response{Description: a.text, Headers: headerRefs(a.headers...)}
	for media, c := range a.contents {
		m := &huma.MediaType{Schema: c.schema, Examples: c.examples}
		if c.of != nil {
			m.Schema = d.schema(c.of)
		}
		if c.events != nil {
			events := map[string]any{}
			for name, of := range c.events {
				events[name] = d.schema(of)
			}
			m.Extensions = map[string]any{"x-events": events}
		}
		if res.Content == nil {
			res.Content = map[string]*huma.MediaType{}
		}
		res.Content[media] = m
	}
	return res
}

// problems adds a response for each status that the route's faults have.
func (d *documenter) problems(o *huma.Operation, r *route) {
	byStatus := map[int][]string{}
	for _, code := range r.faults() {
		byStatus[code.Status()] = append(byStatus[code.Status()], code.String())
	}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		name := strconv.Itoa(status)
		codes := byStatus[status]
		res := &huma.Response{
			Description: "`" + strings.Join(codes, "` or `") + "`",
			Content:     map[string]*huma.MediaType{mediaProblem: {Schema: d.schema(reflect.TypeFor[Problem]())}},
		}
		if r.openai {
			res.Content = map[string]*huma.MediaType{mediaJSON: {Schema: d.schema(reflect.TypeFor[OpenAIError]())}}
		}
		switch status {
		case http.StatusUnauthorized:
			res.Headers = headerRefs("WWW-Authenticate")
		case http.StatusTooManyRequests:
			res.Headers = headerRefs("Retry-After", "RateLimit", "RateLimit-Policy")
		case http.StatusServiceUnavailable:
			res.Headers = headerRefs("Retry-After")
		}
		if already := o.Responses[name]; already != nil { // Readiness has a 503 of its own.
			already.Description += " Or " + res.Description + "."
			maps.Copy(already.Content, res.Content)
			continue
		}
		o.Responses[name] = res
	}
}

func headerRefs(names ...string) map[string]*huma.Param {
	if len(names) == 0 {
		return nil
	}
	refs := map[string]*huma.Param{}
	for _, name := range names {
		refs[name] = &huma.Param{Ref: "#/components/headers/" + name}
	}
	return refs
}

// The schemas of parameters.

func textParameter(name, text string) *huma.Param {
	most := mostParameter
	return &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: "string", MaxLength: &most, Pattern: `^[^\u0000-\u001f\u007f\ufffd]*$`}}
}

func numberParameter(name, text string, least, most float64, otherwise any) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: "integer", Minimum: &least, Maximum: &most, Default: otherwise}}
}

func flagParameter(name, text string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: "boolean", Default: false}}
}

func timeParameter(name, text string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text + " A time as RFC 3339 writes it, or a date (UTC).", Schema: &huma.Schema{
		Type: "string", AnyOf: []*huma.Schema{{Format: "date-time"}, {Format: "date"}}, Examples: []any{"2026-11-24T08:00:00Z", "2026-11-24"},
	}}
}

func enumParameter(name, text string, allowed ...any) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: "string", Enum: allowed}}
}

func idParameter(text, pattern string, example any) *huma.Param {
	return &huma.Param{Description: text, Schema: &huma.Schema{Type: "string", Pattern: pattern, Examples: []any{example}}}
}

func cursorParameter(pattern string) *huma.Param {
	return &huma.Param{Name: "cursor", In: "query", Description: "The next_cursor of the page before, unchanged; leave it out to begin.", Schema: &huma.Schema{Type: "string", Pattern: pattern}}
}

func limitParameter(otherwise, most int) *huma.Param {
	return numberParameter("limit", "How many entries a page has.", 1, float64(most), otherwise)
}

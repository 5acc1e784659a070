package providertest

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// requests has what each wire form takes as a JSON Schema, closed everywhere, made from the services' own documents and not from what promptd sends.
//
//go:embed requests/*.json
var requests embed.FS

// checks holds requests to their wire form. Its schemas are compiled when they are wanted first.
type checks struct {
	mu sync.Mutex

	compiled map[Wire]*schema.Schema
}

// check says what is wrong with a request's body; empty is nothing.
func (c *checks) check(w Wire, body value.Value) string {
	s, err := c.schema(w)
	if err != nil {
		return err.Error()
	}
	valid, report := s.Accept(context.Background(), body)
	if valid.OK() || len(report.Errors) == 0 {
		return ""
	}
	e := deepest(report.Errors)
	at := strings.ReplaceAll(strings.TrimPrefix(e.Pointer, "/"), "/", ".")
	return strings.TrimPrefix(at+": "+e.Message, ": ")
}

// deepest is the violation that lies furthest inside: of alternatives that all fail, the one that fits best is told so.
func deepest(list []schema.Entry) schema.Entry {
	best := list[0]
	for _, e := range list {
		if strings.Count(e.Pointer, "/") > strings.Count(best.Pointer, "/") {
			best = e
		}
	}
	return best
}

func (c *checks) schema(w Wire) (*schema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.compiled[w]; ok {
		return s, nil
	}
	document, err := requestSchema(w)
	if err != nil {
		return nil, err
	}
	s, err := schema.Compile(document, schema.Options{})
	if err != nil {
		return nil, fmt.Errorf("scripted provider: requests/%s.json: %w", w, err)
	}
	if c.compiled == nil {
		c.compiled = map[Wire]*schema.Schema{}
	}
	c.compiled[w] = s
	return s, nil
}

// requestSchema reads a wire form's schema. LlamaCpp and VLLM say what they take differently from OpenAI.
func requestSchema(w Wire) (value.Value, error) {
	document, err := embedded(w)
	if err != nil || w != LlamaCpp && w != VLLM {
		return document, err
	}
	base, err := embedded(OpenAI)
	if err != nil {
		return base, err
	}
	definitions, _ := base.Get("$defs")
	request, _ := definitions.Get("request")
	properties, _ := request.Get("properties")
	without, _ := document.Get("without")
	for _, name := range without.Items() {
		properties = properties.Without(name.Text())
	}
	more, _ := document.Get("properties")
	for name, property := range more.Members() {
		properties = properties.With(name, property)
	}
	if w == LlamaCpp { // A server has one model, and asks for no name.
		request = request.With("required", value.Array(value.String("messages")))
	}
	return base.With("$defs", definitions.With("request", request.With("properties", properties))), nil
}

func embedded(w Wire) (value.Value, error) {
	raw, err := requests.ReadFile("requests/" + string(w) + ".json")
	if err != nil {
		return value.Null(), fmt.Errorf("scripted provider: %w", err)
	}
	v, err := value.Decode(raw, value.Limits{})
	if err != nil {
		return v, fmt.Errorf("scripted provider: requests/%s.json: %w", w, err)
	}
	return v, nil
}

// strictFault says what is wrong with a schema that a service shall hold answers to: a keyword that it does not take, an object that is open, or, where all
// are demanded, a member that is not.
func strictFault(s value.Value, all bool, refused ...string) string {
	if text := objectFault(s, all); text != "" {
		return text
	}
	for _, item := range s.Items() {
		if text := strictFault(item, all, refused...); text != "" {
			return text
		}
	}
	for name, part := range s.Members() {
		if slices.Contains(refused, name) {
			return "'" + name + "' is not permitted"
		}
		var text string
		switch name {
		case "properties", "$defs", "definitions":
			for _, property := range part.Members() {
				text = or(text, strictFault(property, all, refused...))
			}
		case "enum", "const", "required", "default", "examples":
		default:
			text = strictFault(part, all, refused...)
		}
		if text != "" {
			return text
		}
	}
	return ""
}

func objectFault(s value.Value, all bool) string {
	kind, _ := s.Get("type")
	properties, has := s.Get("properties")
	if s.Kind() != value.KindObject || kind.Text() != "object" && !has {
		return ""
	}
	if open, ok := s.Get("additionalProperties"); !ok || open.Kind() != value.KindBool || open.Truth() {
		return "'additionalProperties' is required to be supplied and to be false"
	}
	if required, _ := s.Get("required"); all && required.Len() != properties.Len() {
		return "'required' is required to be supplied and to be an array including every key in properties"
	}
	return ""
}

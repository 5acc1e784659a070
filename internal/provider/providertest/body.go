package providertest

import (
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// strict decodes the body and holds it to a wire form. What is wrong is in p.bad; the value is null where the body is no JSON.
func (p *parsed) strict(w Wire, r *http.Request) value.Value {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != contentJSON {
		p.refuse("Content-Type must be application/json")
	}
	body, err := value.Decode(p.Body, value.Limits{})
	switch {
	case err != nil:
		p.refuse("the body is not JSON: " + err.Error())
		return value.Null()
	case body.Kind() != value.KindObject:
		p.refuse("the body is not a JSON object")
		return value.Null()
	}
	if wrong := p.checks.check(w, body); wrong != "" {
		p.refuse(wrong)
	}
	return body
}

// refuse says what is wrong with the request; what was said first counts.
func (p *parsed) refuse(why string) { p.bad = or(p.bad, why) }

// rejectSchema says what is wrong with the schema; nothing is nothing.
func (p *parsed) rejectSchema(before, why string) {
	if why != "" && p.bad == "" {
		p.bad, p.fault = before+why, SchemaRejected
	}
}

// form takes the request's schema from one of its places.
func (p *parsed) form(name string, s value.Value) { p.Form, p.schema = name, s.Append(nil) }

// turn takes a message whose content is a text or a list of parts.
func (p *parsed) turn(role string, content value.Value) {
	m := Message{Role: role, Text: content.Text()}
	for _, part := range content.Items() {
		said, isText := part.Get("text")
		switch {
		case isText:
			m.Text += said.Text()
		case isImage(part):
			p.Images++
		}
	}
	p.Messages = append(p.Messages, m)
}

func isImage(part value.Value) bool {
	for _, name := range [...]string{"image", "inlineData", "fileData", "image_url", "source"} {
		if _, ok := part.Get(name); ok {
			return true
		}
	}
	return false
}

// says reports whether a word is in one of the messages.
func (p *parsed) says(word string) bool {
	p.readMessages()
	for _, m := range p.Messages {
		if strings.Contains(strings.ToLower(m.Text), word) {
			return true
		}
	}
	return false
}

// text, truth and count read a member by its pointer; what is not there, or of another kind, is nothing.
func text(v value.Value, pointer string) string {
	if at, ok := v.Lookup(pointer); ok && at.Kind() == value.KindString {
		return at.Text()
	}
	return ""
}

func truth(v value.Value, pointer string) bool {
	at, _ := v.Lookup(pointer)
	return at.Truth()
}

func count(v value.Value, pointer string) int {
	at, ok := v.Lookup(pointer)
	if !ok || at.Kind() != value.KindNumber {
		return 0
	}
	n, _ := at.Decimal().Int64()
	return int(n)
}

package prompt

import (
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/value"
)

// Template is the use of a registered template in place of a text.
type Template struct {
	// Ref is the reference: name or name@version. Once the template is found, it is name@version.
	Ref        string
	Parameters value.Value
	// Hash is the content hash of the template that was found.
	Hash [32]byte

	// own are the request's own options, over which the template's are laid.
	own      value.Value
	defaults Defaults
}

// mostRef bounds a reference: a name, @ and a number.
const mostRef = 128

// readTemplate reads template and parameters.
func readTemplate(r *body.Reader, d Defaults) *Template {
	t := &Template{Ref: r.String("template", ""), Parameters: value.Object(), own: value.Object(), defaults: d}
	if v, given := r.Value("template"); !given {
		r.Fault("template", "required", "parameters are given, and template is missing", "Name the template that takes them.")
	} else if v.Kind() == value.KindString && (t.Ref == "" || len(t.Ref) > mostRef) {
		r.Fault("template", "pattern", "this is not a reference to a template", "Send name or name@version, for example invoice or invoice@3.")
	}
	if v, given := r.Value("parameters"); given {
		t.Parameters = v
		if v.Kind() != value.KindObject {
			r.Fault("parameters", "type", "parameters must be an object", "Send the values by their names, for example {\"document\": \"…\"}.")
		}
	}
	if v, given := r.Value("options"); given && v.Kind() == value.KindObject {
		t.own = v
	}
	for _, other := range []string{"prompt", "messages"} {
		if _, given := r.Value(other); given {
			r.Fault(other, "exclusive", "template and "+other+" exclude each other", "Send the text as one of the template's parameters.")
		}
	}
	return t
}

// NewTemplate makes the use of a template by promptd itself, with options as a request has them.
func NewTemplate(ref string, parameters, options value.Value, d Defaults) *Template {
	return &Template{Ref: ref, Parameters: parameters, own: options, defaults: d}
}

// Options lays the request's own options over the template's.
func (t *Template) Options(defaults value.Value) (Options, error) {
	merged := value.Object()
	for _, layer := range []value.Value{defaults, t.own} {
		if layer.Kind() != value.KindObject {
			continue
		}
		for name, v := range layer.Members() {
			merged = merged.With(name, v)
		}
	}
	r := body.Open(value.Object(value.Member{Name: "options", Value: merged}))
	o := readOptions(r.Object("options"), t.defaults)
	return o, r.Done()
}

// CheckOptions reads options that a template keeps; what is wrong becomes a fault of the reader.
func CheckOptions(r *body.Reader) {
	readOptions(r, Defaults{CacheTTL: time.Hour, MaxAttempts: 1})
}

package template

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// The bounds of a content.
const (
	mostText     = 100_000 // Characters of one text.
	mostMessages = 20
	mostTests    = 50
	mostTestName = 100
	mostBytes    = 512 << 10
)

// contentFields are the fields of a content; the others of a publication belong to the name.
func contentFields() []string {
	return []string{"text", "messages", "parameters", "schema", "options", "tests"}
}

// Compiled is a content that can be rendered. It is immutable and safe for concurrent use.
type Compiled struct {
	Content value.Value
	// Hash is that of the content.
	Hash       [32]byte
	Parameters []Parameter
	// Schema is the bound schema: an object, a string that refers to a registered one, or null where there is none.
	Schema value.Value
	// Options are the defaults of a request's options, or null.
	Options value.Value
	Tests   []Test

	turns []turn
}

// turn is a message of the template.
type turn struct {
	role  string
	nodes []node
}

// Test is a stored test: what comes of some parameters.
type Test struct {
	Name       string
	Parameters value.Value
	// Equals is the whole value that is wanted, Contains a part of it; without both, any valid answer passes.
	Equals, Contains       value.Value
	HasEquals, HasContains bool
}

// Compile reads a content, or a publication with one. The fault names every field that is wrong; fields that are not the content's are the reader's to read.
func Compile(r *body.Reader, limits schema.Limits) (*Compiled, error) {
	parameters := r.Object("parameters")
	c := &Compiled{Parameters: readParameters(r, parameters)}
	texts := readTexts(r)
	for _, t := range texts {
		nodes, problems := parse(t.text)
		if len(problems) == 0 {
			problems = c.check(nodes, nil)
		}
		for _, p := range problems {
			t.reader.Fault(t.field, p.rule, place(t.text, p.offset)+": "+p.message, p.hint)
		}
		c.turns = append(c.turns, turn{t.role, nodes})
	}
	c.unused(parameters)
	if options, given := r.Value("options"); given {
		c.Options = options
		prompt.CheckOptions(r.Object("options"))
	}
	c.bind(r, limits)
	c.readTests(r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	var members []value.Member
	for _, name := range contentFields() {
		if v, given := r.Value(name); given {
			members = append(members, value.Member{Name: name, Value: v})
		}
	}
	c.Content = value.Object(members...)
	canonical := c.Content.AppendCanonical(nil)
	if len(canonical) > mostBytes {
		return nil, fault.Invalid("", "max_bytes", fmt.Sprintf("the template has %d bytes; a template has at most %d", len(canonical), mostBytes), "Shorten its text, schemas or tests.")
	}
	c.Hash = sha256.Sum256(canonical)
	return c, nil
}

// text is one text of a template with the place that it has in the body.
type text struct {
	role, text string
	reader     *body.Reader
	field      string
}

// readTexts reads text, or messages in its place.
func readTexts(r *body.Reader) []text {
	_, hasText := r.Value("text")
	all, hasMessages := r.Value("messages")
	switch {
	case hasText && hasMessages:
		r.Fault("messages", "exclusive", "text and messages exclude each other", "Send one of them.")
		r.Objects("messages")
		return nil
	case hasText:
		return checkTexts([]text{{"user", r.String("text", ""), r, "text"}})
	case !hasMessages:
		r.Fault("text", "required", "text is missing", "Send the template's text, with {{ name }} where a parameter belongs.")
		return nil
	}
	items := r.Objects("messages")
	if n := all.Len(); n == 0 || n > mostMessages {
		r.Fault("messages", "items", fmt.Sprintf("messages must hold 1 to %d messages", mostMessages), "")
	}
	var texts []text
	user := false
	for _, item := range items {
		role := item.Enum("role", "", "system", "user")
		if _, given := item.Value("role"); !given {
			item.Fault("role", "required", "role is missing", "Use system or user.")
		}
		if _, given := item.Value("content"); !given {
			item.Fault("content", "required", "content is missing", "Send the message's text.")
			continue
		}
		user = user || role == "user"
		texts = append(texts, text{role, item.String("content", ""), item, "content"})
	}
	if !user && len(items) > 0 {
		r.Fault("messages", "user_message", "messages hold no message of the user", "Put the text to analyse into a message with the role user.")
	}
	return checkTexts(texts)
}

func checkTexts(texts []text) []text {
	for _, t := range texts {
		if v, _ := t.reader.Value(t.field); v.Kind() == value.KindString && (strings.TrimSpace(t.text) == "" || badText(t.text, mostText)) {
			t.reader.Fault(t.field, "length", fmt.Sprintf("%s must have 1 to %d characters, none of them a control character", t.field, mostText), "")
		}
	}
	return texts
}

// bind reads the bound schema.
func (c *Compiled) bind(r *body.Reader, limits schema.Limits) {
	v, given := r.Value("schema")
	switch k := v.Kind(); {
	case !given:
	case k == value.KindObject:
		c.Schema = v
		if _, err := schema.Compile(v, schema.Options{Limits: limits}); err != nil {
			for _, e := range fault.Of(err).Entries {
				r.Fault("schema", e.Rule, "the bound schema is not a JSON Schema: "+e.Message+" (at "+e.Pointer+")", e.Hint)
			}
		}
	case k == value.KindString:
		c.Schema = v
	default:
		r.Fault("schema", "type", "schema must be a JSON Schema object, or a string that refers to a registered one", "Leave it out where requests bring their own.")
	}
}

// readTests reads the stored tests.
func (c *Compiled) readTests(r *body.Reader) {
	if all, given := r.Value("tests"); given && all.Len() > mostTests {
		r.Fault("tests", "items", fmt.Sprintf("a template has at most %d tests", mostTests), "")
	}
	seen := map[string]bool{}
	for _, item := range r.Objects("tests") {
		t := Test{Name: item.String("name", ""), Parameters: value.Object()}
		if t.Name == "" || badText(t.Name, mostTestName) || strings.ContainsAny(t.Name, "\r\n\t") {
			item.Fault("name", "length", fmt.Sprintf("a test has a name of 1 to %d characters, none of them a control character", mostTestName), "")
		} else if seen[t.Name] {
			item.Fault("name", "unique", "another test has this name", "Give each test a name of its own.")
		}
		seen[t.Name] = true
		if v, given := item.Value("parameters"); given {
			t.Parameters = v
		}
		expect := item.Object("expect")
		t.Equals, t.HasEquals = expect.Value("equals")
		t.Contains, t.HasContains = expect.Value("contains")
		if t.HasEquals && t.HasContains {
			expect.Fault("contains", "exclusive", "equals and contains exclude each other", "Use equals for the whole value, contains for a part of it.")
		}
		if _, entries := c.take(context.Background(), t.Parameters); len(entries) > 0 {
			item.Fault("parameters", entries[0].Rule, "the test's parameters do not fit: "+entries[0].Message, entries[0].Hint)
		}
		c.Tests = append(c.Tests, t)
	}
}

// parameter finds one by its name.
func (c *Compiled) parameter(name string) *Parameter {
	for i := range c.Parameters {
		if c.Parameters[i].Name == name {
			return &c.Parameters[i]
		}
	}
	return nil
}

// check says what is wrong with the use of parameters; there are those that are known to have a value here.
func (c *Compiled) check(nodes []node, there []string) []problem {
	var problems []problem
	for _, n := range nodes {
		if n.kind == literal {
			continue
		}
		p := c.parameter(n.text)
		switch {
		case p == nil:
			problems = append(problems, problem{n.offset, "unknown_parameter", "there is no parameter " + n.text, c.known()})
			continue
		case n.kind == placeholder:
			if !p.always() && !slices.Contains(there, n.text) {
				problems = append(problems, problem{
					n.offset, "optional", "parameter " + n.text + " may be absent here",
					"Write {{#" + n.text + "}} … {{/" + n.text + "}} around what belongs to it, make it required, or give it a default.",
				})
			}
			continue
		case p.always() && p.Type != Boolean:
			problems = append(problems, problem{n.offset, "always", "parameter " + n.text + " is always there, so that its section says nothing", "Leave the section's marks out, or make the parameter optional."})
		}
		inside := there
		if n.kind == section {
			inside = append(there[:len(there):len(there)], n.text)
		}
		problems = append(problems, c.check(n.inner, inside)...)
	}
	return problems
}

func (c *Compiled) known() string {
	if len(c.Parameters) == 0 {
		return "Declare it in parameters."
	}
	var names []string
	for _, p := range c.Parameters {
		names = append(names, p.Name)
	}
	return "Declare it in parameters, or use one of: " + strings.Join(names, ", ") + "."
}

// unused names the parameters that no text uses: who fills one in believes that the model sees it.
func (c *Compiled) unused(parameters *body.Reader) {
	used := map[string]bool{}
	var walk func([]node)
	walk = func(nodes []node) {
		for _, n := range nodes {
			if n.kind != literal {
				used[n.text] = true
			}
			walk(n.inner)
		}
	}
	for _, t := range c.turns {
		walk(t.nodes)
	}
	for _, p := range c.Parameters {
		if !used[p.Name] {
			parameters.Fault(p.Name, "unused", "parameter "+p.Name+" is not used in the text", "Use it as {{ "+p.Name+" }}, or leave it out.")
		}
	}
}

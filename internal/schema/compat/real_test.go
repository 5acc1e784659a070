package compat_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// realCase is a schema that somebody wrote for use, with values that it allows.
type realCase struct {
	id     string
	raw    value.Value
	schema *schema.Schema
	valid  []value.Value
}

// realCases gives the first schemas of each file of the benchmark that are not large and allow one of their own instances.
func realCases(t *testing.T, each int) (list []realCase) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "jsonschemabench"), "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const large = 12_000
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		taken := 0
		for scan := bufio.NewReader(bytes.NewReader(text)); taken < each; {
			line, err := scan.ReadBytes('\n')
			if err != nil {
				break
			}
			if len(line) > large {
				continue
			}
			if c, ok := realLine(line); ok {
				list = append(list, c)
				taken++
			}
		}
	}
	if len(list) == 0 {
		t.Fatal("no schema was read")
	}
	return list
}

func realLine(line []byte) (c realCase, ok bool) {
	v, err := value.Decode(line, value.Limits{})
	if err != nil {
		return c, false
	}
	id, _ := v.Get("id")
	c.id = id.Text()
	c.raw, _ = v.Get("schema")
	if c.raw.Kind() != value.KindObject {
		return c, false
	}
	if c.schema, err = schema.Compile(c.raw, schema.Options{}); err != nil {
		return c, false
	}
	tests, _ := v.Get("tests")
	for _, test := range tests.Items() {
		data, _ := test.Get("data")
		if valid, _ := c.schema.Accept(context.Background(), data); valid.OK() {
			c.valid = append(c.valid, data)
		}
	}
	return c, len(c.valid) > 0
}

// edit is a change of a schema; ok is false where it does not apply.
type edit struct {
	name string
	mode compat.Mode // What it is compatible with; None where it breaks backward.
	do   func(realCase) (value.Value, bool)
}

func edits() []edit {
	return []edit{
		{"other words, another order", compat.Full, func(c realCase) (value.Value, bool) { return reworded(c.raw, 0), true }},
		{"a further optional member", compat.Backward, func(c realCase) (value.Value, bool) {
			closed, _ := c.raw.Get("additionalProperties")
			properties, ok := c.raw.Get("properties")
			if patterns, there := c.raw.Get("patternProperties"); !ok || there && patterns.Len() > 0 || closed.Kind() != value.KindBool || closed.Truth() || refers(c.raw) {
				return c.raw, false
			}
			return c.raw.With("properties", properties.With("zz_further", value.Object(value.Member{Name: "type", Value: value.String("string")}))), true
		}},
		{"nothing is required any more", compat.Backward, func(c realCase) (value.Value, bool) {
			_, ok := c.raw.Get("required")
			return c.raw.Without("required"), ok && !refers(c.raw)
		}},
		{"the members are open", compat.Backward, func(c realCase) (value.Value, bool) {
			_, ok := c.raw.Get("additionalProperties")
			return c.raw.Without("additionalProperties"), ok && !refers(c.raw)
		}},
		{"a member more is required", compat.None, func(c realCase) (value.Value, bool) {
			required, _ := c.raw.Get("required")
			var names []value.Value
			for _, one := range required.Items() {
				names = append(names, one)
			}
			return c.raw.With("required", value.Array(append(names, value.String("zz_new"))...)), true
		}},
		{"a value is excluded", compat.None, func(c realCase) (value.Value, bool) {
			_, there := c.raw.Get("not")
			return c.raw.With("not", value.Object(value.Member{Name: "enum", Value: value.Array(c.valid[0])})), !there
		}},
		{"the first value alone", compat.None, func(c realCase) (value.Value, bool) {
			_, there := c.raw.Get("enum")
			return c.raw.With("enum", value.Array(c.valid[0])), !there && len(c.valid) > 1
		}},
		{"strings are numbers", compat.None, func(c realCase) (value.Value, bool) { return retyped(c.raw, "string", "number", 0), true }},
		{"shorter strings", compat.None, func(c realCase) (value.Value, bool) { return bounded(c.raw, 0), true }},
		{"closed all over", compat.None, func(c realCase) (value.Value, bool) { return closedAll(c.raw, 0), true }},
	}
}

// refers reports whether a schema refers to itself as a whole, so that a change of the root is one of its parts.
func refers(v value.Value) bool {
	return bytes.Contains(v.Append(nil), []byte(`"$ref":"#"`)) || bytes.Contains(v.Append(nil), []byte(`"$ref":"#/prop`))
}

// within changes every object inside a schema; what holds values, and not schemas, stays.
func within(v value.Value, depth int, change func(value.Value) value.Value) value.Value {
	const deep = 40
	if depth > deep {
		return v
	}
	for i := range v.Len() {
		if v.Kind() == value.KindObject {
			switch v.NameAt(i) {
			case "enum", "const", "default", "examples", "example", "required":
				continue
			}
		}
		v = v.WithAt(i, within(v.At(i), depth+1, change))
	}
	if v.Kind() == value.KindObject {
		return change(v)
	}
	return v
}

func reworded(raw value.Value, depth int) value.Value {
	return within(raw, depth, func(v value.Value) value.Value {
		if d, ok := v.Get("description"); ok && d.Kind() == value.KindString {
			v = v.Without("description").With("description", value.String("In other words."))
		}
		return v
	})
}

func retyped(raw value.Value, from, to string, depth int) value.Value {
	return within(raw, depth, func(v value.Value) value.Value {
		if kind, ok := v.Get("type"); ok && kind.Kind() == value.KindString && kind.Text() == from {
			return v.With("type", value.String(to))
		}
		return v
	})
}

func bounded(raw value.Value, depth int) value.Value {
	return within(raw, depth, func(v value.Value) value.Value {
		if kind, ok := v.Get("type"); ok && kind.Kind() == value.KindString && kind.Text() == "string" {
			return v.With("maxLength", value.Int(2))
		}
		return v
	})
}

func closedAll(raw value.Value, depth int) value.Value {
	return within(raw, depth, func(v value.Value) value.Value {
		properties, ok := v.Get("properties")
		if _, said := v.Get("additionalProperties"); ok && !said && properties.Kind() == value.KindObject && properties.Len() > 1 {
			return v.With("additionalProperties", value.Bool(false)).With("properties", properties.Without(properties.NameAt(0)))
		}
		return v
	})
}

// tooMuchWork is the one schema of the sample whose widened form is not proven within the steps of a comparison: it is called undecided, which is safe.
// Every other pair that an edit keeps compatible must be proven.
const tooMuchWork = "jsb/Github_hard/o1184"

// TestEditsOfRealSchemas edits schemas that people wrote. Whether an edit breaks is judged by the schema's own instances: one that is refused afterwards
// proves it. What an edit keeps by construction must be proven.
func TestEditsOfRealSchemas(t *testing.T) {
	t.Parallel()
	const each = 4
	ctx := context.Background()
	cases := realCases(t, each)
	for _, e := range edits() {
		pairs, breaking, certain, undecided, missed := 0, 0, 0, 0, 0
		for _, c := range cases {
			raw, ok := e.do(c)
			if !ok {
				continue
			}
			now, err := schema.Compile(raw, schema.Options{})
			if err != nil {
				continue
			}
			pairs++
			mode := e.mode
			if mode == compat.None {
				mode = compat.Backward
			}
			r := compat.Check(ctx, c.schema, now, mode)
			for _, f := range r.Findings {
				if f.Verdict == compat.Breaking {
					certain++
				} else {
					undecided++
				}
			}
			if e.mode != compat.None {
				if !r.Compatible {
					missed++
					say := t.Errorf
					if c.id == tooMuchWork && e.mode == compat.Backward {
						say = t.Logf
					}
					say("%s, %s: not proven: %s of %s: %s", c.id, e.name, r.Findings[0].Keyword, r.Findings[0].Instance, r.Findings[0].Message)
				}
				for _, f := range r.Findings {
					if f.Verdict == compat.Breaking {
						t.Errorf("%s, %s: called breaking with %s", c.id, e.name, f.Witness)
					}
				}
				continue
			}
			if refusesOne(ctx, now, c.valid) {
				breaking++
				if r.Compatible {
					t.Errorf("%s, %s: called compatible, but an instance is refused afterwards", c.id, e.name)
				}
			}
		}
		t.Logf("%s: %d pairs, %d shown to be breaking; findings: %d with a witness, %d undecided; %d compatible ones not proven", e.name, pairs, breaking, certain, undecided, missed)
		if pairs == 0 {
			t.Errorf("%s: applies to no schema", e.name)
		}
	}
}

func refusesOne(ctx context.Context, s *schema.Schema, values []value.Value) bool {
	for _, v := range values {
		if valid, _ := s.Accept(ctx, v); !valid.OK() {
			return true
		}
	}
	return false
}

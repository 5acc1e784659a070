package schema

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

// ruleWriter writes rules at random: small whole numbers, strings, booleans and what is made of them, where our numbers and CEL's are the same.
type ruleWriter struct {
	t     *rapid.T
	names []string
}

func (w *ruleWriter) pick(list ...string) string { return rapid.SampledFrom(list).Draw(w.t, "pick") }

func (w *ruleWriter) truth(depth int) string {
	if depth <= 0 {
		return w.pick("true", "false", "has(self.a)", "has(self.b)", "self.flag", "dyn("+w.any()+")")
	}
	d := depth - 1
	switch rapid.IntRange(0, 13).Draw(w.t, "truth") {
	case 0, 1:
		return "(" + w.truth(d) + w.pick(" && ", " || ") + w.truth(d) + ")"
	case 2:
		return "!" + "(" + w.truth(d) + ")"
	case 3:
		return "(" + w.truth(d) + " ? " + w.truth(d) + " : " + w.truth(d) + ")"
	case 4:
		return "(" + w.number(d) + w.pick(" == ", " != ", " < ", " <= ", " > ", " >= ") + w.number(d) + ")"
	case 5:
		return "(" + w.text(d) + w.pick(" == ", " != ", " < ", " >= ") + w.text(d) + ")"
	case 6:
		return "(" + w.list(d) + w.pick(" == ", " != ") + w.list(d) + ")"
	case 7:
		return "dyn(" + w.any() + ") == dyn(" + w.any() + ")"
	case 8:
		return "(" + w.number(d) + " in " + w.list(d) + ")"
	case 9:
		return "(" + w.text(d) + " in self)"
	case 10:
		return w.text(d) + "." + w.pick("contains", "startsWith", "endsWith") + "(" + w.text(d) + ")"
	default:
		name := fmt.Sprintf("v%d", rapid.IntRange(0, 2).Draw(w.t, "name"))
		over := w.list(d)
		w.names = append(w.names, name)
		body := w.truth(d)
		w.names = w.names[:len(w.names)-1]
		return over + "." + w.pick("all", "exists", "exists_one") + "(" + name + ", " + body + ")"
	}
}

func (w *ruleWriter) any() string {
	list := append([]string{"self", "self.a", "self.b", "self.list", "self.none", "null", "1", "'x'", "self.list[0]", "self.flag"}, w.names...)
	return w.pick(list...)
}

func (w *ruleWriter) number(depth int) string {
	if depth <= 0 {
		return w.pick("0", "1", "2", "-3", "self.a", "self.list[1]", "size(self.s)", "self.none", "dyn("+w.any()+")")
	}
	d := depth - 1
	switch rapid.IntRange(0, 3).Draw(w.t, "number") {
	case 0, 1:
		return "(" + w.number(d) + w.pick(" + ", " - ", " * ") + w.number(d) + ")"
	case 2:
		return "size(" + w.list(d) + ")"
	default:
		return "(" + w.truth(d) + " ? " + w.number(d) + " : " + w.number(d) + ")"
	}
}

func (w *ruleWriter) text(depth int) string {
	if depth <= 0 {
		return w.pick("'a'", "'x'", "''", "'é'", "self.s", "self.b", "dyn("+w.any()+")")
	}
	return "(" + w.text(depth-1) + " + " + w.text(depth-1) + ")"
}

func (w *ruleWriter) list(depth int) string {
	if depth <= 0 {
		// The library goes through an object's members in no order, so that those here have one member.
		return w.pick("self.list", "[1, 2]", "[]", "self.none", "self.one", "self.nested")
	}
	d := depth - 1
	switch rapid.IntRange(0, 3).Draw(w.t, "list") {
	case 0:
		return "[" + w.number(d) + ", " + w.number(d) + "]"
	case 1:
		return "(" + w.list(d) + " + " + w.list(d) + ")"
	default:
		name := fmt.Sprintf("v%d", rapid.IntRange(0, 2).Draw(w.t, "name"))
		over := w.list(d)
		w.names = append(w.names, name)
		defer func() { w.names = w.names[:len(w.names)-1] }()
		if rapid.Bool().Draw(w.t, "filter") {
			return over + ".filter(" + name + ", " + w.truth(d) + ")"
		}
		return over + ".map(" + name + ", " + w.number(d) + ")"
	}
}

// CEL's own interpreter is the oracle: whatever rule and value, both give true, both false, or both nothing.
func TestRulesMeanWhatCELSays(t *testing.T) {
	t.Parallel()
	env, err := cel.NewEnv(cel.Variable("self", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	var compiled, decided, faults int
	rapid.Check(t, func(t *rapid.T) {
		w := &ruleWriter{t: t}
		text := w.truth(rapid.IntRange(1, 4).Draw(t, "depth"))
		self := rapid.SampledFrom([]string{
			`{"a":1,"b":"x","list":[1,2,3],"s":"xa","flag":true,"none":null,"nested":[[1],[2,3]],"one":{"x":2}}`,
			`{"a":-3,"list":["x",1,null],"s":"é","flag":false,"b":2,"nested":{"k":1},"one":[1,2,"x"]}`,
			`{"list":[],"s":1}`, `[1,2,"x"]`, `null`, `{"a":{"x":1},"b":{"x":1},"list":[{"x":1},{"a":2}],"flag":"true"}`,
		}).Draw(t, "self")
		tree, issues := env.Compile(text)
		c, err := newRuleCompiler()
		if err != nil {
			t.Fatal(err)
		}
		own, fault := c.compile(text)
		if issues.Err() != nil || fault != "" {
			// Sizes are bounded by us alone; a rule that CEL's types refuse is refused here too.
			if (issues.Err() != nil) != (fault != "") && !strings.Contains(fault, "too large") {
				t.Fatalf("%s: CEL says %v, we say %q", text, issues.Err(), fault)
			}
			return
		}
		if self[0] == '[' && strings.Contains(text, "has(") {
			return // has() is false of whatever is no object; the library says so of all but arrays.
		}
		compiled++
		p, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		want, _, wantErr := p.Eval(map[string]any{"self": native(t, self)})
		v, err := value.DecodeString(self, value.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		tr := &trial{ctx: context.Background(), steps: judgeSteps}
		got, gotErr := own.eval(own.begin(tr, v))
		switch {
		case wantErr != nil && gotErr != nil:
			faults++
		case (wantErr != nil) != (gotErr != nil):
			t.Fatalf("%s on %s: CEL gives %v, %v; we give %v, %v", text, self, want, wantErr, got, gotErr)
		case fmt.Sprint(want.Value()) != fmt.Sprint(got):
			if _, isBool := got.(bool); isBool {
				t.Fatalf("%s on %s: CEL gives %v; we give %v", text, self, want, got)
			}
		default:
			decided++
		}
	})
	t.Logf("%d rules compiled, %d true or false, %d faults", compiled, decided, faults)
	if compiled == 0 || decided == 0 || faults == 0 {
		t.Error("the rules show nothing")
	}
}

// native gives JSON as CEL's own values, whole numbers as ints.
func native(t *rapid.T, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return nativeOf(v)
}

func nativeOf(v any) any {
	switch v := v.(type) {
	case json.Number:
		i, _ := v.Int64()
		return i
	case []any:
		for i := range v {
			v[i] = nativeOf(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = nativeOf(v[k])
		}
	}
	return v
}

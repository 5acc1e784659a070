package infer_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/schema/infer"
	"github.com/promptd/promptd/internal/value"
)

// instances draws a value that examples of one kind of data look like: few names, texts that repeat, formats, null, members that are missing.
func instances(depth int) *rapid.Generator[value.Value] {
	texts := rapid.SampledFrom([]string{"red", "green", "blue", "", "2025-01-15", "2024-02-29", "a@b.example", "https://example.org/x", "192.0.2.1", "Ada Lovelace", "ä\n", "123e4567-e89b-12d3-a456-426614174000"})
	return rapid.Custom(func(t *rapid.T) value.Value {
		kind := rapid.IntRange(0, 8).Draw(t, "kind")
		if depth == 0 && kind > 5 {
			kind = 3
		}
		switch kind {
		case 0:
			return value.Null()
		case 1:
			return value.Bool(rapid.Bool().Draw(t, "truth"))
		case 2:
			return value.Float(float64(rapid.IntRange(-9, 9).Draw(t, "halves")) / 2)
		case 3, 4, 5:
			return value.String(texts.Draw(t, "text"))
		case 6:
			return value.Array(rapid.SliceOfN(instances(depth-1), 0, 4).Draw(t, "items")...)
		default:
			names := rapid.SampledFrom([]string{"kind", "a", "b", "c", "2025-01-01", "2025-01-02", "2025-01-03", "k1", "k2", "x/y~"})
			var members []value.Member
			for _, name := range rapid.SliceOfNDistinct(names, 0, 6, rapid.ID).Draw(t, "names") {
				members = append(members, value.Member{Name: name, Value: instances(depth-1).Draw(t, name)})
			}
			return value.Object(members...)
		}
	})
}

// examples draws examples: alike ones, so that thresholds are met, or pairs of text and value.
func examples() *rapid.Generator[[]infer.Example] {
	return rapid.Custom(func(t *rapid.T) []infer.Example {
		list := rapid.SliceOfN(instances(3), 1, 4).Draw(t, "values")
		for range rapid.IntRange(0, 3).Draw(t, "repeats") {
			list = append(list, list[:min(len(list), 6)]...)
		}
		paired := rapid.Bool().Draw(t, "paired")
		made := make([]infer.Example, len(list))
		for i, v := range list {
			made[i] = infer.Example{Value: v}
			if paired {
				made[i].Paired, made[i].Text = true, "About "+rapid.SampledFrom([]string{"", "Ada  Lovelace ", "red\tgreen blue ä \n"}).Draw(t, "text")+v.String()
			}
		}
		return made
	})
}

func drafted(t *rapid.T, list []infer.Example) *schema.Schema {
	r, err := infer.Draft(context.Background(), "", list)
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	s, err := schema.Compile(r.Schema, schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", r.Schema, err)
	}
	for _, n := range r.Notes {
		if _, ok := r.Schema.Lookup(n.Pointer); !ok || n.Have > n.Of || n.Have <= 0 {
			t.Fatalf("%s: the note %+v speaks of nothing", r.Schema, n)
		}
	}
	return s
}

func TestEveryExampleIsAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := examples().Draw(t, "examples")
		s := drafted(t, list)
		for _, e := range list {
			judge := s
			if e.Paired {
				judge = s.WithSource(e.Text)
			}
			if valid, report := judge.Accept(context.Background(), e.Value); !valid.OK() {
				t.Fatalf("%s\nrefuses %s: %+v", s.Value(), e.Value, report.Errors)
			}
		}
	})
}

func TestTheOrderOfExamplesDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := examples().Draw(t, "examples")
		shuffled := rapid.Permutation(list).Draw(t, "shuffled")
		a, b := drafted(t, list), drafted(t, shuffled)
		if r := compat.Check(context.Background(), a, b, compat.Full); !r.Compatible {
			t.Fatalf("%s\n%s\ndiffer: %+v", a.Value(), b.Value(), r.Findings)
		}
	})
}

func TestDraftsAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := examples().Draw(t, "examples")
		if a, b := drafted(t, list), drafted(t, slices.Clone(list)); a.Value().String() != b.Value().String() {
			t.Fatalf("got two drafts:\n%s\n%s", a.Value(), b.Value())
		}
	})
}

func TestADraftOfASchemasOwnInstancesAllowsThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := examples().Draw(t, "examples")
		s := drafted(t, list)
		var own []infer.Example
		for _, e := range append(list, infer.Example{Value: instances(3).Draw(t, "other")}) {
			if valid, _ := s.Accept(context.Background(), e.Value); valid.OK() {
				own = append(own, infer.Example{Value: e.Value})
			}
		}
		again := drafted(t, own)
		for _, e := range own {
			if valid, _ := again.Accept(context.Background(), e.Value); !valid.OK() {
				t.Fatalf("%s\nrefuses %s", again.Value(), e.Value)
			}
		}
	})
}

func TestExamplesThatGiveNoDraft(t *testing.T) {
	t.Parallel()
	if _, err := infer.Draft(context.Background(), "", nil); err == nil || !strings.Contains(err.Error(), "no examples") {
		t.Errorf("without examples: got %v", err)
	}
	if _, err := infer.Draft(context.Background(), "", make([]infer.Example, infer.MaxExamples+1)); err == nil || !strings.Contains(err.Error(), "the limit is 10000") {
		t.Errorf("with too many: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := infer.Draft(ctx, "", []infer.Example{{Value: value.Int(1)}}); err == nil {
		t.Error("with an ended context: got a draft")
	}
}

func TestHugeExamplesGiveACoarserDraft(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":[`, 120) + `1` + strings.Repeat(`]}`, 120)
	// wide writes an object of members whose names do not look like data.
	wide := func(n int, item func(i int) string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"n%c%c%c":%s`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, item(i))
		}
		return "{" + b.String()[1:] + "}"
	}
	nested := wide(150, func(int) string { return wide(100, strconv.Itoa) })
	for name, text := range map[string]string{"deep": deep, "wide": wide(6000, strconv.Itoa), "nested": nested} {
		list := []infer.Example{{Value: read(t, text)}}
		r, err := infer.Draft(context.Background(), "", list)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := schema.Compile(r.Schema, schema.Options{}); err != nil {
			t.Errorf("%s: the draft does not compile: %v", name, err)
		}
	}
}

func TestPairsAreToldFromValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list   string
		paired bool
	}{
		{`[{"text":"a","value":1},{"text":"b","value":2}]`, true},
		{`[{"text":"a","value":1},{"text":"b"}]`, false},
		{`[{"text":"a","value":1},{"text":1,"value":1}]`, false},
		{`[{"text":"a","value":1,"id":1}]`, false},
		{`["a"]`, false},
	} {
		var list []value.Value
		for _, v := range read(t, c.list).Items() {
			list = append(list, v)
		}
		if got := infer.Examples(list); got[0].Paired != c.paired {
			t.Errorf("%s: got paired %t", c.list, got[0].Paired)
		}
	}
}

package schema

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// oracle is the well-known library with our formats and patterns, so that the two differ only in what keywords mean.
type oracle struct{ schema *jsonschema.Schema }

type ourPattern struct{ pattern }

func (p ourPattern) MatchString(s string) bool { return p.matchString(s) }
func (p ourPattern) String() string            { return p.source }

func libraryDraft(d Draft) *jsonschema.Draft {
	return map[Draft]*jsonschema.Draft{
		Draft4: jsonschema.Draft4, Draft6: jsonschema.Draft6, Draft7: jsonschema.Draft7, Draft201909: jsonschema.Draft2019, Draft202012: jsonschema.Draft2020,
	}[d]
}

func newOracle(schema value.Value, o Options) (*oracle, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(libraryDraft(o.Draft))
	if !o.AnnotateFormat {
		c.AssertFormat()
	} else if strings.Contains(schema.String(), `"format":"regex"`) && !o.Draft.atLeast(Draft201909) {
		return nil, errors.New("the library asserts this format in any case")
	}
	// The library asserts formats up to draft 7 in any case: as annotations they are formats that hold for everything.
	for _, name := range []string{
		"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri",
		"iri-reference", "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex",
	} {
		check, _ := formatNamed(name, o.Draft)
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok && !o.AnnotateFormat && !check(s) {
				return fmt.Errorf("not %s", name)
			}
			return nil
		}})
	}
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		p, err := compilePattern(s)
		return ourPattern{p}, err
	})
	for url, remote := range o.Remotes {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(remote.String()))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(url, doc); err != nil {
			return nil, err
		}
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.String()))
	if err != nil {
		return nil, err
	}
	if err := c.AddResource("schema:///", doc); err != nil {
		return nil, err
	}
	s, err := c.Compile("schema:///")
	return &oracle{s}, err
}

func (o *oracle) valid(v value.Value) bool {
	data, err := jsonschema.UnmarshalJSON(strings.NewReader(v.String()))
	return err == nil && o.schema.Validate(data) == nil
}

// mutate changes a value in one place.
func mutate(r *rand.Rand, v value.Value) value.Value {
	if v.Len() > 0 && r.IntN(4) > 0 {
		i := r.IntN(v.Len())
		switch {
		case r.IntN(8) == 0 && v.Kind() == value.KindObject:
			return v.Without(v.NameAt(i))
		case r.IntN(12) == 0 && v.Kind() == value.KindObject:
			return v.With("extra", v.At(i))
		case r.IntN(12) == 0 && v.Kind() == value.KindArray:
			items := make([]value.Value, 0, v.Len()+1)
			for _, item := range v.Items() {
				items = append(items, item)
			}
			return value.Array(append(items, v.At(i))...)
		default:
			return v.WithAt(i, mutate(r, v.At(i)))
		}
	}
	choices := []string{`null`, `true`, `0`, `-1`, `1.5`, `1.0`, `1e3`, `100000000000000000000`, `""`, `"a"`, `"2025-01-15"`, `[]`, `{}`, `["a"]`, `{"a":1}`, `[1,1.0]`}
	switch {
	case v.Kind() == value.KindString && r.IntN(2) == 0:
		return value.String(v.Text() + v.Text())
	case v.Kind() == value.KindNumber && r.IntN(2) == 0:
		return value.Int(r.Int64N(1000) - 500)
	default:
		out, _ := value.DecodeString(choices[r.IntN(len(choices))], value.Limits{})
		return out
	}
}

// compare judges by both and names the instances on which they differ.
func compare(tb testing.TB, name string, schema value.Value, o Options, instances []value.Value) (judged int) {
	tb.Helper()
	s, err := Compile(schema, o)
	if err != nil {
		return 0
	}
	lib, err := newOracle(schema, o)
	if err != nil {
		return 0
	}
	strict := strings.Contains(schema.String(), "draft-04") || o.Draft == Draft4
	for _, v := range instances {
		ours, report := s.Accept(tb.Context(), v)
		if len(report.Errors) > 0 && report.Errors[0].Keyword == KeywordLimit {
			continue
		}
		judged++
		if theirs := lib.valid(v); theirs != ours.OK() {
			// Draft 4's integer is one by spelling, 1.0 is none, also inside not: section 3.5 of its core ("a JSON number without a fraction or
			// exponent part"). The library goes by value. They agree where the instance's integers are spelled as integers.
			if strict {
				if ours, _ := s.Accept(tb.Context(), plainIntegers(v)); ours.OK() == theirs {
					continue
				}
			}
			tb.Errorf("%s: library says %v, we say %v for %s by %s: %+v", name, theirs, ours.OK(), cut(v.String(), 300), cut(schema.String(), 600), report.Errors)
		}
	}
	return judged
}

// plainIntegers spells every number without a fraction as an integer.
func plainIntegers(v value.Value) value.Value {
	for i := range v.Len() {
		v = v.WithAt(i, plainIntegers(v.At(i)))
	}
	if f, ok := new(big.Rat).SetString(v.Text()); ok && v.Kind() == value.KindNumber && f.IsInt() {
		v, _ = value.Number(f.Num().String())
	}
	return v
}

func TestLibraryAgreesOverTheSuiteAndItsMutations(t *testing.T) {
	t.Parallel()
	root := sharedtest.Dir(t, "data", "json-schema-test-suite", "tests")
	remotes := suiteRemotes(t)
	for name, draft := range suiteDrafts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, _ := filepath.Glob(filepath.Join(root, name, "*.json"))
			r := rand.New(rand.NewPCG(1, uint64(draft)))
			judged := 0
			for _, file := range files {
				needed := Remotes{}
				if text := readValue(t, file).String(); strings.Contains(text, "localhost:1234") {
					needed = remotes
				}
				cases := suiteCases(t, file)
				for i := 0; i < len(cases); {
					var instances []value.Value
					at := i
					for ; i < len(cases) && value.Identical(cases[i].schema, cases[at].schema); i++ {
						instances = append(instances, cases[i].data)
					}
					for range 3 * len(instances) {
						instances = append(instances, mutate(r, instances[r.IntN(len(instances))]))
					}
					for _, annotate := range []bool{true, false} {
						judged += compare(t, filepath.Base(file), cases[at].schema, Options{Draft: draft, AnnotateFormat: annotate, Remotes: needed}, instances)
					}
				}
			}
			t.Logf("%s: %d instances judged by both", name, judged)
		})
	}
}

func TestLibraryAgreesOverMutatedRealInstances(t *testing.T) {
	t.Parallel()
	lines, _ := corpora(t)
	step := 9
	if testing.Short() {
		step = 90
	}
	var sample []corpusLine
	for i := 0; i < len(lines); i += step {
		sample = append(sample, lines[i])
	}
	var mu sync.Mutex
	judged := 0
	start := time.Now()
	inParallel(sample, func(i int, line corpusLine) {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		var instances []value.Value
		for _, test := range line.tests {
			for range 4 {
				instances = append(instances, mutate(r, test.data))
			}
		}
		n := compare(t, line.id, line.schema, Options{}, instances)
		mu.Lock()
		judged += n
		mu.Unlock()
	})
	t.Logf("%d mutated instances of %d schemas judged by both in %v", judged, len(sample), time.Since(start))
}

package schema

import (
	"errors"
	"fmt"
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
	// Formats of the library's own, which no draft names: validation, section 7.2.3, "schema authors SHALL NOT expect a peer implementation to support such custom
	// format attributes".
	for _, name := range []string{"period", "semver"} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
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

// judgements counts what both judged.
type judgements struct {
	schemas, judged, valid, limited int
	refused                         int // schemas that the library alone does not compile
	// explained counts the known disagreements by their class.
	explained map[string]int
}

func (j *judgements) add(o judgements) {
	j.schemas, j.refused = j.schemas+o.schemas, j.refused+o.refused
	j.judged, j.valid, j.limited = j.judged+o.judged, j.valid+o.valid, j.limited+o.limited
	for class, n := range o.explained {
		j.explain(class, n)
	}
}

func (j *judgements) explain(class string, n int) {
	if j.explained == nil {
		j.explained = map[string]int{}
	}
	j.explained[class] += n
}

// compare judges by both and names the instances on which they differ and no known class of disagreements says why.
func compare(tb testing.TB, name string, schema value.Value, o Options, instances []value.Value) (j judgements) {
	tb.Helper()
	s, err := Compile(schema, o)
	if err != nil {
		return j
	}
	lib, err := newOracle(schema, o)
	if err != nil {
		j.refused = 1
		return j
	}
	j.schemas = 1
	theirs, err := lib.verdicts(instances)
	if err != nil {
		j.explain("the library: "+err.Error(), 1)
		return j
	}
	for i, v := range instances {
		ours, report := s.Accept(tb.Context(), v)
		if len(report.Errors) > 0 && report.Errors[0].Keyword == KeywordLimit {
			j.limited++
			continue
		}
		j.judged++
		if ours.OK() {
			j.valid++
		}
		if theirs[i] == ours.OK() {
			continue
		}
		d := disagreement{s: s, draft: s.Draft(), schema: schema, instance: v, ours: ours.OK(), theirs: theirs[i], lib: lib, options: o}
		class := d.class(tb.Context())
		if class == "" {
			tb.Errorf("%s: library says %v, we say %v for %s by %s: %+v", name, theirs[i], ours.OK(), cut(v.String(), 300), cut(schema.String(), 1200), report.Errors)
			continue
		}
		j.explain(class, 1)
	}
	return j
}

// verdicts judges instances by the library, which neither counts its steps nor survives every number: it gets some seconds, and a panic is an error.
func (o *oracle) verdicts(instances []value.Value) ([]bool, error) {
	type outcome struct {
		valid []bool
		err   error
	}
	done := make(chan outcome, 1) // One outcome, whether somebody waits for it or not.
	go func() {
		var out outcome
		defer func() {
			if r := recover(); r != nil {
				out.err = errors.New("it panics")
			}
			done <- out
		}()
		for _, v := range instances {
			out.valid = append(out.valid, o.valid(v))
		}
	}()
	const patience = 20 * time.Second
	select {
	case out := <-done:
		return out.valid, out.err
	case <-time.After(patience):
		return nil, errors.New("it does not end")
	}
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
			var sum judgements
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
						sum.add(compare(t, filepath.Base(file), cases[at].schema, Options{Draft: draft, AnnotateFormat: annotate, Remotes: needed}, instances))
					}
				}
			}
			t.Logf("%s: %+v", name, sum)
		})
	}
}

// neededRemotes gives the remote schemas to a schema that refers to some: the library compiles all that it gets.
func neededRemotes(schema value.Value, remotes Remotes) (needed Remotes) {
	collect(schema, func(name string, v value.Value) {
		if name == "$ref" && v.Kind() == value.KindString && !strings.HasPrefix(v.Text(), "#") {
			needed = remotes
		}
	})
	return needed
}

func TestLibraryAgreesOverMutatedRealInstances(t *testing.T) {
	t.Parallel()
	lines, remotes := corpora(t)
	step := 9
	switch {
	case full():
		step = 1
	case testing.Short():
		step = 90
	}
	var sample []corpusLine
	for i := 0; i < len(lines); i += step {
		sample = append(sample, lines[i])
	}
	var mu sync.Mutex
	var sum judgements
	start := time.Now()
	inParallel(sample, func(i int, line corpusLine) {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		var instances []value.Value
		for _, test := range line.tests {
			instances = append(instances, test.data)
			for range 4 {
				instances = append(instances, mutate(r, test.data))
			}
		}
		j := compare(t, line.id, line.schema, Options{Remotes: neededRemotes(line.schema, remotes)}, instances)
		mu.Lock()
		sum.add(j)
		mu.Unlock()
	})
	t.Logf("%d schemas in %v: %+v", len(sample), time.Since(start), sum)
}

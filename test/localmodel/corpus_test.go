package localmodel

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
	"github.com/promptd/promptd/test/independent"
)

// What is taken of the corpus: schemas that fit a small model's window beside their text, with a valid instance to make the text of.
const (
	corpusSchemas   = 50
	corpusShort     = 4
	schemaBytes     = 3000
	instanceBytes   = 700
	corpusRoom      = 300
	corpusTextLines = 40
)

// real is a schema of the corpus with a text that says what one of its valid instances holds.
type real struct {
	id, schema, text string
}

// corpus gives n schemas, evenly over the files.
func corpus(t *testing.T, n int) []real {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "jsonschemabench"), "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files of the corpus: %v", len(paths), err)
	}
	var all []real
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if r, ok := usable(t, line); ok {
				all = append(all, r)
			}
		}
	}
	if len(all) < n {
		t.Fatalf("%d usable schemas, want %d", len(all), n)
	}
	var list []real
	for i := range n {
		list = append(list, all[i*len(all)/n])
	}
	return list
}

func usable(t *testing.T, line string) (real, bool) {
	t.Helper()
	v := decode(t, line)
	id, _ := v.Get("id")
	raw, _ := v.Get("schema")
	if len(raw.String()) > schemaBytes {
		return real{}, false
	}
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		return real{}, false
	}
	tests, _ := v.Get("tests")
	for _, test := range tests.Items() {
		x, _ := test.Get("data")
		if x.Len() == 0 || len(x.String()) > instanceBytes {
			continue
		}
		if ok, _ := s.Accept(t.Context(), x); ok.OK() {
			return real{id.Text(), raw.String(), spoken(x)}, true
		}
	}
	return real{}, false
}

// spoken says a value's leaves line by line, as a record would be read out.
func spoken(v value.Value) string {
	var lines []string
	var say func(at string, v value.Value)
	say = func(at string, v value.Value) {
		switch v.Kind() {
		case value.KindObject:
			for name, item := range v.Members() {
				say(strings.TrimPrefix(at+" "+name, " "), item)
			}
		case value.KindArray:
			for _, item := range v.Items() {
				say(at, item)
			}
		default:
			text := v.Text()
			if v.Kind() != value.KindString {
				text = v.String()
			}
			lines = append(lines, at+": "+text)
		}
	}
	say("", v)
	return strings.Join(lines[:min(len(lines), corpusTextLines)], "\n")
}

// TestTheLocalModelTakesRealSchemas has the grammars that real schemas are lowered to hold a real model: every answer is valid or an honest refusal, and none
// runs away.
func TestTheLocalModelTakesRealSchemas(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (127 MB download, a minute)")
	}
	n := corpusShort
	if os.Getenv("PROMPTD_FULL") != "" {
		n = corpusSchemas
	}
	list := corpus(t, n)
	other := independent.New(t)
	url, secret := program(t)
	client := &http.Client{Timeout: patience + time.Minute}
	var passed []independent.Answer
	refused, away := 0, 0
	for _, r := range list {
		began := time.Now()
		a, err := askRoom(t.Context(), client, url, secret, named{r.id, r.text}, r.schema, corpusRoom)
		if err != nil {
			t.Fatalf("%s: %v", r.id, err)
		}
		t.Logf("%-40s %-22s %6d ms  %d attempts (%s)  %s", r.id, a.outcome(), time.Since(began).Milliseconds(), len(a.Attempts), a.tries(), shown(a))
		room := corpusRoom
		for _, try := range a.Attempts {
			if try.OutputTokens > room {
				t.Errorf("%s: an attempt wrote %d tokens and had room for %d", r.id, try.OutputTokens, room)
			}
			room *= 2
		}
		switch {
		case a.status == http.StatusOK && a.ValidationStatus == "passed":
			s, err := schema.Compile(decode(t, r.schema), schema.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if accepted, report := s.Accept(t.Context(), decode(t, string(a.Data))); !accepted.OK() {
				t.Errorf("%s: passed, and breaks the schema: %s: %+v", r.id, a.Data, report.Errors)
			}
			passed = append(passed, independent.Answer{ID: r.id, Schema: json.RawMessage(r.schema), Data: a.Data})
		case a.status == http.StatusUnprocessableEntity && a.Code == "VALIDATION_FAILED":
			if a.Validation == nil || len(a.Validation.Errors) == 0 || a.Data != nil {
				t.Errorf("%s: a 422 says what the answer violates and gives no data: %+v", r.id, a)
			} else if a.Validation.Errors[0].Keyword == "TRUNCATED" {
				away++
			}
			refused++
		default:
			t.Errorf("%s: %d %s: %s", r.id, a.status, a.Code, a.Detail)
		}
	}
	totals := other.Judge(t, passed)
	t.Logf("%d real schemas: %d passed, %d judged by the other validator, %d refused honestly, %d of these because the answer did not end", len(list), len(passed),
		totals.Judged, refused, away)
}

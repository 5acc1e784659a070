package independent_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/promptd/promptd/test/independent"
)

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failed []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func TestAWrongAnswerIsRejectedAndARightOneIsNot(t *testing.T) {
	t.Parallel()
	v := independent.New(t)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	day := raw(`{"type":"string","format":"date"}`)
	answers := []independent.Answer{
		{ID: "right", Schema: day, Data: raw(`"2026-11-25"`)},
		{ID: "a day that is not", Schema: day, Data: raw(`"2026-02-30"`)},
		{ID: "a wrong type", Schema: day, Data: raw(`7`)},
		{ID: "out of reach", Schema: raw(`{"$ref":"https://example.com/elsewhere"}`), Data: raw(`7`)},
	}
	r := &recorder{TB: t}
	got := v.Judge(r, answers)
	if want := (independent.Totals{Judged: 3, Skipped: 1, Rejected: 2}); got != want || len(r.failed) != 2 {
		t.Errorf("judged %+v with failures %q, want %+v", got, r.failed, want)
	}
}

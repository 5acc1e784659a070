package schema_test

import (
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

func TestLabelledRepairCasesWithSchemasComeRight(t *testing.T) {
	t.Parallel()
	path := sharedtest.Dir(t, "data", "json-repair", "cases.jsonl")
	for _, mode := range []schema.Mode{schema.Safe, schema.Lenient} {
		right, total := 0, 0
		for _, c := range schema.RepairCases(t, path) {
			if c.Mode == "schema-partial" {
				continue // There the text is cut, and the labels fill it with nulls that the schema does not allow.
			}
			total++
			if why := attempt(t, c, mode); why == "" {
				right++
			} else {
				t.Logf("FAIL %d %s %s: %s", mode, c.Mode, c.ID, why)
			}
		}
		t.Logf("mode %d: %d of %d", mode, right, total)
		if mode == schema.Lenient && right*100 < total*90 {
			t.Errorf("%d of %d repair cases with a schema come right; at least 90 %% are demanded", right, total)
		}
	}
}

// attempt reads, coerces and judges; it gives what is wrong, or nothing.
func attempt(t *testing.T, c schema.RepairCase, mode schema.Mode) string {
	t.Helper()
	s, err := schema.Compile(c.Schema, schema.Options{})
	if err != nil {
		if c.Error {
			return ""
		}
		return err.Error()
	}
	r, err := repair.Read(c.Input, repair.Hints{Schema: repair.ShapeOf(c.Schema)})
	if err != nil {
		if c.Error {
			return ""
		}
		return "read: " + err.Error()
	}
	v, list := s.Coerce(r.Value, mode)
	valid, report := s.Accept(t.Context(), v)
	switch {
	case c.Error && !valid.OK():
		return ""
	case c.Error:
		return "an error is expected, got " + v.String()
	case value.Equal(v, c.Expected):
		return ""
	default:
		text := ""
		if len(report.Errors) > 0 {
			text = report.Errors[0].Pointer + " " + report.Errors[0].Message
		}
		for _, c := range list {
			text += " " + c.Kind
		}
		return "input " + c.Input + "\n schema " + c.Schema.String() + "\n read " + r.Value.String() + "\n got  " + v.String() + "\n want " + c.Expected.String() + "\n " + text
	}
}

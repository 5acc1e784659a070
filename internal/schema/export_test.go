package schema

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/value"
)

// RepairCase is one labelled text with the schema that it is meant for.
type RepairCase struct {
	ID, Input, Mode  string
	Schema, Expected value.Value
	Error            bool
}

// RepairCases reads the labelled repair cases with schemas; those of unfinished texts and of no value are left out.
func RepairCases(tb testing.TB, path string) []RepairCase {
	tb.Helper()
	var cases []RepairCase
	eachLine(tb, path, func(v value.Value) {
		c := RepairCase{ID: text(v, "id"), Input: text(v, "input"), Mode: text(v, "mode")}
		if !strings.HasPrefix(c.Mode, "schema-") {
			return
		}
		c.Schema, _ = v.Get("schema")
		c.Expected, _ = v.Get("expected")
		_, none := v.Get("expected_none")
		failed, _ := v.Get("error")
		c.Error = failed.Truth() || none
		cases = append(cases, c)
	})
	return cases
}

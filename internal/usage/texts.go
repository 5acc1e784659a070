package usage

import (
	"bytes"
	"encoding/json"
)

// hideTexts takes every text of the prompt and the answer out of a record.
func (r *Record) hideTexts() {
	r.Prompt, r.Answer = "", ""
	r.Validation = withoutTexts(r.Validation)
}

// withoutTexts leaves of a validation report what the schema and the process say, and drops what can repeat the answer:
// actual and coerced values, residue, messages that quote them, and pointers, whose steps may be keys of the answer.
func withoutTexts(report []byte) []byte {
	if len(report) == 0 || nothingFound(report) {
		return report
	}
	decoder := json.NewDecoder(bytes.NewReader(report))
	decoder.UseNumber()
	var v map[string]any
	if decoder.Decode(&v) != nil {
		return nil
	}
	kept := map[string]any{}
	for name, member := range v {
		switch list := member.(type) {
		case []any:
			kept[name] = safeEntries(list)
		case map[string]any:
		default:
			if name == "reasks" || name == "schema" || name == "dialect_mode" {
				kept[name] = member
			}
		}
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return nil
	}
	return out
}

// nothingFound recognises the report of an answer that was right at once, which is nearly every one: it has no entries.
func nothingFound(report []byte) bool {
	return bytes.Contains(report, []byte(`"errors":[]`)) && bytes.Contains(report, []byte(`"repairs":[]`)) &&
		bytes.Contains(report, []byte(`"coercions":[]`)) && bytes.Count(report, []byte(`[`)) == 3 && bytes.Count(report, []byte(`{`)) == 1
}

// safeEntries keeps the fields of entries whose values never come from a text.
func safeEntries(list []any) []any {
	kept := make([]any, 0, len(list))
	for _, item := range list {
		entry, ok := item.(map[string]any)
		if !ok {
			continue
		}
		safe := map[string]any{}
		for _, name := range [...]string{"keyword", "schema_pointer", "kind", "offset"} {
			if value, ok := entry[name]; ok {
				safe[name] = value
			}
		}
		kept = append(kept, safe)
	}
	return kept
}

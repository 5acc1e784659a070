package value_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// stricter are the texts that the suite wants accepted and that we refuse on purpose: RFC 7493 wants unique names, and a reader that takes the
// last of two values differs from one that takes the first.
func stricter() map[string]value.Rule {
	return map[string]value.Rule{
		"y_object_duplicated_key.json":           value.RuleDuplicate,
		"y_object_duplicated_key_and_value.json": value.RuleDuplicate,
	}
}

// decided says what we do where the suite leaves it to the implementation; "" is accepted.
func decided() map[string]value.Rule {
	return map[string]value.Rule{
		// Integers of any size are exact; exponents have a bound, since ten bytes could stand for megabytes of digits.
		"i_number_too_big_neg_int.json":       "",
		"i_number_too_big_pos_int.json":       "",
		"i_number_very_big_negative_int.json": "",
		"i_number_double_huge_neg_exp.json":   value.RuleNumber,
		"i_number_huge_exp.json":              value.RuleNumber,
		"i_number_neg_int_huge_exp.json":      value.RuleNumber,
		"i_number_pos_double_huge_exp.json":   value.RuleNumber,
		"i_number_real_neg_overflow.json":     value.RuleNumber,
		"i_number_real_pos_overflow.json":     value.RuleNumber,
		"i_number_real_underflow.json":        value.RuleNumber,
		// No text holds what is not Unicode.
		"i_object_key_lone_2nd_surrogate.json":                value.RuleSurrogate,
		"i_string_1st_surrogate_but_2nd_missing.json":         value.RuleSurrogate,
		"i_string_1st_valid_surrogate_2nd_invalid.json":       value.RuleSurrogate,
		"i_string_incomplete_surrogate_and_escape_valid.json": value.RuleSurrogate,
		"i_string_incomplete_surrogate_pair.json":             value.RuleSurrogate,
		"i_string_incomplete_surrogates_escape_valid.json":    value.RuleSurrogate,
		"i_string_invalid_lonely_surrogate.json":              value.RuleSurrogate,
		"i_string_invalid_surrogate.json":                     value.RuleSurrogate,
		"i_string_inverted_surrogates_U+1D11E.json":           value.RuleSurrogate,
		"i_string_lone_second_surrogate.json":                 value.RuleSurrogate,
		"i_string_UTF-16LE_with_BOM.json":                     value.RuleUTF8,
		"i_string_UTF-8_invalid_sequence.json":                value.RuleUTF8,
		"i_string_UTF8_surrogate_U+D800.json":                 value.RuleUTF8,
		"i_string_invalid_utf-8.json":                         value.RuleUTF8,
		"i_string_iso_latin_1.json":                           value.RuleUTF8,
		"i_string_lone_utf8_continuation_byte.json":           value.RuleUTF8,
		"i_string_not_in_unicode_range.json":                  value.RuleUTF8,
		"i_string_overlong_sequence_2_bytes.json":             value.RuleUTF8,
		"i_string_overlong_sequence_6_bytes.json":             value.RuleUTF8,
		"i_string_overlong_sequence_6_bytes_null.json":        value.RuleUTF8,
		"i_string_truncated-utf-8.json":                       value.RuleUTF8,
		"i_string_utf16BE_no_BOM.json":                        value.RuleUTF8,
		"i_string_utf16LE_no_BOM.json":                        value.RuleUTF8,
		"i_structure_500_nested_arrays.json":                  "",               // The default depth is 512.
		"i_structure_UTF-8_BOM_empty_object.json":             value.RuleSyntax, // RFC 8259 forbids to write one.
		"number_1e-999.json":                                  value.RuleNumber,
		"object_same_key_different_values.json":               value.RuleDuplicate,
		"object_same_key_same_value.json":                     value.RuleDuplicate,
		"object_same_key_unclear_values.json":                 value.RuleDuplicate,
		"string_1_escaped_invalid_codepoint.json":             value.RuleSurrogate,
		"string_2_escaped_invalid_codepoints.json":            value.RuleSurrogate,
		"string_3_escaped_invalid_codepoints.json":            value.RuleSurrogate,
		"string_1_invalid_codepoint.json":                     value.RuleUTF8,
		"string_2_invalid_codepoints.json":                    value.RuleUTF8,
		"string_3_invalid_codepoints.json":                    value.RuleUTF8,
		"number_-9223372036854775808.json":                    "",
		"number_-9223372036854775809.json":                    "",
		"number_1.0.json":                                     "",
		"number_1.000000000000000005.json":                    "",
		"number_1000000000000000.json":                        "",
		"number_10000000000000000999.json":                    "",
		"number_1e6.json":                                     "",
		"number_9223372036854775807.json":                     "",
		"number_9223372036854775808.json":                     "",
		"object_key_nfc_nfd.json":                             "", // Two spellings of a letter are two names.
		"object_key_nfd_nfc.json":                             "",
		"string_with_escaped_NULL.json":                       "",
	}
}

// TestJSONTestSuite runs every text of the suite: y_ is accepted, n_ is refused, of the others the tables above decide.
func TestJSONTestSuite(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "json-parsing"), "test_*", "*.json"))
	if err != nil || len(paths) != 318+22 {
		t.Fatalf("%d texts found: %v", len(paths), err)
	}
	count := map[string]int{}
	decided, stricter := decided(), stricter()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		v, err := value.Decode(text, value.Limits{})
		var fault *value.SyntaxError
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("%s: the error is a %T", name, err)
			continue
		}
		var want value.Rule
		class := name[:2]
		switch class {
		case "y_":
			want = stricter[name]
		case "n_":
			if err == nil {
				t.Errorf("%s: %.100q is accepted", name, text)
				continue
			}
			want = fault.Rule
		default:
			rule, ok := decided[name]
			if !ok {
				t.Errorf("%s: nothing is decided; we give %v", name, err)
				continue
			}
			class, want = "decided", rule
		}
		got := value.Rule("")
		if fault != nil {
			got = fault.Rule
			if fault.Offset < 0 || fault.Offset > len(text) || fault.Message == "" {
				t.Errorf("%s: the fault is %+v", name, *fault)
			}
		}
		if got != want {
			t.Errorf("%s: %.100q gives %q (%v), want %q", name, text, got, err, want)
			continue
		}
		count[class]++
		if err == nil {
			reads(t, name, v)
		}
	}
	t.Logf("y_ %d of 95, of them %d refused on purpose; n_ %d of 188; decided %d of 57", count["y_"], len(stricter), count["n_"], count["decided"])
}

// reads checks that what was read can be written and read again, the same to the letter.
func reads(t *testing.T, name string, v value.Value) {
	t.Helper()
	again, err := value.DecodeString(v.String(), value.Limits{})
	if err != nil || !value.Identical(v, again) || !value.Equal(v, again) {
		t.Errorf("%s: written %s, read again %s, %v", name, v, again, err)
	}
	canonical := string(v.AppendCanonical(nil))
	again, err = value.DecodeString(canonical, value.Limits{})
	if err != nil || !value.Equal(v, again) || string(again.AppendCanonical(nil)) != canonical {
		t.Errorf("%s: canonical %s, read again %s, %v", name, canonical, again, err)
	}
	if strings.ContainsAny(canonical, "\n\t\r") {
		t.Errorf("%s: canonical %q", name, canonical)
	}
}

package shelf_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/shelf"
)

const kind shelf.Kind = "schema"

func TestReferencesHaveOneSpelling(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]shelf.Ref{
		"a": {Name: "a"}, "invoice@3": {Name: "invoice", Version: 3}, "0.a-b_c@999999999": {Name: "0.a-b_c", Version: 999_999_999}, strings.Repeat("x", 64): {Name: strings.Repeat("x", 64)},
	} {
		got, err := kind.ParseRef(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: got %+v written %q, %v, want %+v", text, got, got, err, want)
		}
	}
	for _, text := range []string{
		"", "@1", "a@", "a@0", "a@01", "a@-1", "a@+1", "a@1 ", " a", "a@1@2", "a@1000000000", "A", "ä", "a b", ".a", "-a", "_a", "a/b", "a\x00", "a@٣", strings.Repeat("x", 65),
	} {
		if _, err := kind.ParseRef(text); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%q: got the error %v, want INVALID_REQUEST", text, err)
		}
	}
}

// Whatever is read as a reference is written as it was.
func FuzzParseRef(f *testing.F) {
	for _, text := range []string{"invoice", "invoice@3", "a@0", "@", "a@999999999", "a.b-c_d@1", "ä@1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if ref, err := kind.ParseRef(text); err == nil && (ref.String() != text || !shelf.IsName(ref.Name) || ref.Version < 0) {
			t.Errorf("%q is read as %+v", text, ref)
		}
	})
}

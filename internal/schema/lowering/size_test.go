package lowering_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
)

func sizesOf(t *testing.T, profile, schema string) map[string]lowering.Size {
	t.Helper()
	p, ok := lowering.Named(profile)
	if !ok {
		t.Fatalf("there is no profile %s", profile)
	}
	sizes := map[string]lowering.Size{}
	for _, s := range p.Sizes(lowering.Lower(compiled(t, read(t, schema)), p)) {
		sizes[s.Name] = s
	}
	return sizes
}

func TestSizesCountWhatIsSent(t *testing.T) {
	t.Parallel()
	const order = `{"type": "object", "additionalProperties": false, "required": ["id", "lines"], "properties": {
		"id": {"type": "string"}, "state": {"enum": ["open", "paid"]}, "note": {"type": ["string", "null"]},
		"lines": {"type": "array", "maxItems": 7, "items": {"type": "object", "additionalProperties": false, "required": ["sku"], "properties": {
			"sku": {"type": "string"}, "codes": {"type": "array", "maxItems": 3, "items": {"enum": [1, 2, 3]}}}}}}}`
	for _, c := range []struct {
		profile, name string
		have, limit   int
	}{
		{"openai", "nesting", 2, 10}, // The objects of lines, and the wrapper in which note travels.
		{"openai", "enum_values", 5, 1000},
		{"openai", "optional", 0, 0},
		{"anthropic", "properties", 6, 0},
		{"anthropic", "nesting", 2, 0},
		{"anthropic", "optional", 3, 10},
		{"anthropic", "unions", 1, 16},
		{"gemini", "items_total", 10, 900},
		{"llamacpp:llguidance", "enum_values", 5, 0},
	} {
		got := sizesOf(t, c.profile, order)[c.name]
		if got.Have != c.have || got.Limit != c.limit {
			t.Errorf("%s %s: got %d of %d, want %d of %d", c.profile, c.name, got.Have, got.Limit, c.have, c.limit)
		}
	}
}

func TestSizesWriteReferencesOut(t *testing.T) {
	t.Parallel()
	// The item is used three times: each use counts where a provider limits the whole.
	const shared = `{"type": "object", "additionalProperties": false, "required": ["a", "b", "c"], "properties": {
		"a": {"$ref": "#/$defs/list"}, "b": {"$ref": "#/$defs/list"}, "c": {"$ref": "#/$defs/list"}}, "$defs": {
		"list": {"type": "array", "maxItems": 10, "items": {"type": "object", "additionalProperties": false, "properties": {
			"x": {"enum": ["aaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbb", "ccccccccccccccc", "d", "e", "f", "g", "h", "i"]}, "y": {"type": "string", "description": "A text."}}}}}}`
	if got := sizesOf(t, "gemini", shared)["items_total"]; got.Have != 30 {
		t.Errorf("items_total: got %d, want 30", got.Have)
	}
	if got := sizesOf(t, "anthropic", shared)["optional"]; got.Have != 6 {
		t.Errorf("optional: got %d, want 6", got.Have)
	}
}

func TestSizesOfWhatIsNotSentAreNone(t *testing.T) {
	t.Parallel()
	p, _ := lowering.Named("openai")
	p = p.Only(lowering.JSON)
	if got := p.Sizes(lowering.Lower(compiled(t, read(t, `{"type": "object"}`)), p)); got != nil {
		t.Errorf("got %v, want none in JSON mode", got)
	}
}

// A size beyond its limit is a schema that the provider refuses: then Lower should have taken another form.
func TestSizesStayWithinTheirLimits(t *testing.T) {
	t.Parallel()
	near := map[string]int{}
	list := realSchemas(t, 40)
	for _, s := range list {
		c := compiled(t, s.schema)
		for name, p := range profiles() {
			for i, size := range p.Sizes(lowering.Lower(c, p)) {
				if size.Limit > 0 && size.Have > size.Limit {
					t.Errorf("%s with %s: %s is %d, the limit is %d", s.id, name, size.Name, size.Have, size.Limit)
				}
				if size.Limit > 0 && size.Have*10 >= size.Limit*8 {
					near[name+" "+size.Name]++
				}
				if at := slices.Index(lowering.SizeNames(), size.Name); at < i {
					t.Fatalf("%s is not in the order of SizeNames", size.Name)
				}
			}
		}
	}
	t.Logf("%d schemas; near a limit: %s", len(list), strings.Join(slices.Sorted(maps.Keys(near)), ", "))
}

package schema

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/value"
)

// TestLibraryAgreesOverGeneratedPairs judges generated schemas and values by both: more than a million pairs in the long form.
func TestLibraryAgreesOverGeneratedPairs(t *testing.T) {
	t.Parallel()
	const each = 24 // Values of one schema.
	wanted := 30_000
	switch {
	case full():
		wanted = 1_050_000
	case testing.Short():
		wanted = 6_000
	}
	var (
		mu  sync.Mutex
		sum judgements
		// keywords counts the pairs whose schema has the keyword.
		keywords = map[string]int{}
	)
	type share struct {
		name  string
		draft Draft
		seed  uint64
	}
	var shares []share
	const seeds = 4
	for name, draft := range suiteDrafts() {
		for seed := range uint64(seeds) {
			shares = append(shares, share{name, draft, seed})
		}
	}
	inParallel(shares, func(_ int, s share) {
		d := &drawn{r: rand.New(rand.NewPCG(s.seed, uint64(s.draft))), draft: s.draft}
		var own judgements
		met := map[string]int{}
		for tries := 0; own.judged < wanted/len(shares) && tries < wanted; tries++ {
			raw := must(d.schema(0))
			instances := make([]value.Value, 0, each)
			for len(instances) < each {
				v := d.fit(raw, raw, 0)
				instances = append(instances, v)
				switch d.r.IntN(4) {
				case 0:
					instances = append(instances, d.respelled(v))
				case 1:
					instances = append(instances, must(d.value(0)))
				default:
					instances = append(instances, mutate(d.r, v))
				}
			}
			j := compare(t, s.name, raw, Options{Draft: s.draft}, instances)
			own.add(j)
			if text := raw.String(); j.judged > 0 {
				for _, keyword := range judged() {
					if strings.Contains(text, `"`+keyword+`":`) {
						met[keyword] += j.judged
					}
				}
			}
			if t.Failed() {
				break
			}
		}
		mu.Lock()
		sum.add(own)
		for keyword, n := range met {
			keywords[keyword] += n
		}
		mu.Unlock()
	})
	t.Logf("%d pairs of %d schemas judged by both, %d of them valid, %d given up", sum.judged, sum.schemas, sum.valid, sum.limited)
	for class, n := range sum.explained {
		t.Logf("%d disagreements: %s", n, class)
	}
	for _, keyword := range judged() {
		if n := keywords[keyword]; n*300 < sum.judged {
			t.Errorf("only %d of %d pairs have %s", n, sum.judged, keyword)
		}
	}
	if sum.judged < wanted*99/100 || sum.valid*5 < sum.judged || sum.valid*5 > 4*sum.judged {
		t.Errorf("%d pairs were judged, %d of them valid: that says little", sum.judged, sum.valid)
	}
}

// judged are the keywords that judge, of all drafts.
func judged() []string {
	return []string{
		"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
		"required", "properties", "patternProperties", "additionalProperties", "propertyNames", "items", "prefixItems", "additionalItems", "contains", "minContains", "maxContains", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
		"dependencies", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$ref", "$dynamicRef", "$recursiveRef", "$anchor", "$id", "id",
	}
}

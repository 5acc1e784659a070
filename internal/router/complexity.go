package router

import (
	"math"
	"sync"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Complexity is how hard a task is, from 0 to below 1, and where the points of its score come from. It is a rule of thumb that anybody can recompute: what
// is measured of a schema at a model corrects it within some attempts.
//
//	what                                                        points
//	each property or item that the schema describes                1
//	each level of nesting beyond the second                        4
//	each anyOf, oneOf, not, if, dependentSchemas                   5
//	each pattern, format, const, bound of number or length         1
//	each rule of x-rules                                           6
//	each x-extractive                                              2
//	a schema that refers to itself                                12
//	each 250 tokens of the prompt                                  1
//	each image                                                     8
//	each turn of a conversation beyond the first                   1
//
// With p points the score is p / (p + 60): an invoice with lines (about 25 points) has 0.3, a large contract (about 150) 0.7.
const halfwayPoints = 60

// complexity scores a task.
func complexity(q *Question, s shape) float64 {
	points := s.points + float64(q.text.tokens())/250 + 8*float64(q.Prompt.Images()) + float64(max(0, len(q.Prompt.Messages)-1))
	return points / (points + halfwayPoints)
}

// The scores up to which the tiers 1 and 2 are up to a task.
const (
	tier1Score = 0.35
	tier2Score = 0.65
)

// tierFor is the lowest tier that is up to a task.
func tierFor(score float64) int {
	switch {
	case score <= tier1Score:
		return 1
	case score <= tier2Score:
		return 2
	default:
		return 3
	}
}

// reach is the score that a tier is up to.
func reach(tier int) float64 {
	switch {
	case tier <= 1:
		return tier1Score
	case tier == 2:
		return tier2Score
	default:
		return 1
	}
}

// shape is what of a schema counts here.
type shape struct {
	points float64
	tokens int // of the schema as text
	answer int // expected tokens of an answer
}

// shapes remembers the shapes of schemas.
type shapes struct {
	mu    sync.RWMutex
	known map[[32]byte]shape
}

// mostShapes bounds them; a shape is worked out again in some microseconds.
const mostShapes = 4096

func (s *shapes) of(sch *schema.Schema) shape {
	hash := sch.Hash()
	s.mu.RLock()
	known, ok := s.known[hash]
	s.mu.RUnlock()
	if ok {
		return known
	}
	w := walk{}
	w.schema(sch.Value(), 0)
	var text size
	text.add(sch.Value().String())
	made := shape{points: w.points + 4*math.Max(0, float64(w.deepest-2)), tokens: text.tokens(), answer: 16 + 14*w.leaves}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= mostShapes {
		s.known = map[[32]byte]shape{}
	}
	s.known[hash] = made
	return made
}

// walk counts the points of a schema as it is written. References are not followed: what they lead to stands in the schema as well and counts there.
type walk struct {
	points  float64
	leaves  int
	deepest int
}

// schema counts a subschema at a level of the answer.
func (w *walk) schema(v value.Value, level int) {
	if v.Kind() != value.KindObject {
		return
	}
	w.deepest = max(w.deepest, level)
	container := false
	for name, item := range v.Members() {
		switch name {
		case "properties", "patternProperties":
			container = true
			for _, child := range item.Members() {
				w.points++
				w.schema(child, level+1)
			}
		case "items", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties", "additionalItems":
			container = container || name == "items"
			w.points += boolPoint(item.Kind() == value.KindObject)
			w.each(item, level+1)
		case "prefixItems":
			container = true
			w.points += float64(item.Len())
			w.each(item, level+1)
		case "anyOf", "oneOf", "not", "if":
			w.points += 5
			w.each(item, level)
		case "allOf", "then", "else":
			w.each(item, level)
		case "dependentSchemas":
			w.points += 5
			w.all(item, level)
		case "$defs", "definitions":
			w.all(item, level+1)
		case "pattern", "format", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems":
			w.points++
		case "$ref", "$dynamicRef", "$recursiveRef":
			w.points += 12 * boolPoint(item.Text() == "#")
		case "x-rules":
			w.points += 6 * float64(max(1, item.Len()))
		case "x-extractive":
			w.points += 2
		}
	}
	if !container {
		w.leaves++
	}
}

// each counts a subschema, or those of a list.
func (w *walk) each(v value.Value, level int) {
	if v.Kind() != value.KindArray {
		w.schema(v, level)
		return
	}
	for _, item := range v.Items() {
		w.schema(item, level)
	}
}

// all counts the members of an object of subschemas.
func (w *walk) all(v value.Value, level int) {
	if v.Kind() != value.KindObject {
		return
	}
	for _, item := range v.Members() {
		w.schema(item, level)
	}
}

func boolPoint(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

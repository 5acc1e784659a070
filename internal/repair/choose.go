package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// rank says how much of an answer a value is: 0 empty, 1 a scalar, 2 a list of scalars, 3 structure.
func rank(v value.Value) int {
	switch v.Kind() {
	case value.KindObject:
		if v.Len() > 0 {
			return 3
		}
		return 0
	case value.KindArray:
		if v.Len() == 0 {
			return 0
		}
		for _, item := range v.Items() {
			if item.Kind() == value.KindObject || item.Kind() == value.KindArray {
				return 3
			}
		}
		if v.Len() == 1 && v.At(0).Kind() != value.KindString {
			return 1
		}
		return 2
	default:
		return 1
	}
}

// choose gives the value that is meant among those found.
func (r *root) choose() (Result, error) {
	schema := r.p.hints.Schema
	if only(schema, value.KindString) && schema.Choices() == nil {
		return r.text(true)
	}
	r.dropLoose()
	if len(r.found) == 0 {
		return r.noCandidate()
	}
	chosen := r.found
	switch {
	case len(r.found) == 1:
	case schema != nil:
		chosen = r.bySchema(schema)
	case !r.anyProse:
		chosen = r.inRow()
	default:
		chosen = r.byRank(r.found)
	}
	return r.result(chosen), nil
}

// dropLoose forgets words in brackets and single scalars in the middle of prose, which are no values.
func (r *root) dropLoose() {
	kept := r.found[:0]
	for _, c := range r.found {
		if c.rank == 0 && !c.unfinished && c.nothingButGarbage() {
			r.p.note(KindGarbage, c.start)
			continue
		}
		if !r.anyProse {
			kept = append(kept, c)
			continue
		}
		if !c.fenced && c.rank < 3 && c.rank > 0 && c.bareWords() {
			continue
		}
		kept = append(kept, c)
	}
	r.found = kept
}

// nothingButGarbage reports whether an empty container held words that were left out.
func (c *candidate) nothingButGarbage() bool {
	for _, r := range c.repairs {
		if r.Kind == KindGarbage {
			return true
		}
	}
	return false
}

// bareWords reports whether the value is a scalar, a list of words without quotes, or a number in brackets.
func (c *candidate) bareWords() bool {
	if c.rank == 1 {
		return true
	}
	for _, r := range c.repairs {
		if r.Kind == KindUnquoted || r.Kind == KindTuple {
			return true
		}
	}
	return false
}

// result joins the chosen candidates: one is the value itself, several are an array.
func (r *root) result(chosen []candidate) Result {
	p := r.p
	repairs := p.repairs
	if r.anyProse {
		repairs = append(repairs, Repair{KindProse, r.proseAt})
	}
	var out Result
	items := make([]value.Value, 0, len(chosen))
	for _, c := range chosen {
		items = append(items, c.v)
		repairs = append(repairs, c.repairs[:min(len(c.repairs), max(0, maxRepairs-len(repairs)))]...)
		out.Unfinished = out.Unfinished || c.unfinished
	}
	switch {
	case len(chosen) == 1:
		out.Value = items[0]
		if len(r.found) > 1 {
			repairs = append(repairs, Repair{KindSeveralValues, r.found[1].start})
		}
	default:
		out.Value = value.Array(items...)
		repairs = append(repairs, Repair{KindConcatenated, chosen[1].start})
	}
	if last := r.found[len(r.found)-1]; last.unfinished {
		out.Unfinished = true // The answer that was being written may be the one that was cut.
	}
	out.Repairs = sortRepairs(repairs)
	return out
}

// inRow chooses among values that stand one behind the other with nothing between: all of them that hold something.
func (r *root) inRow() []candidate {
	full := make([]candidate, 0, len(r.found))
	for _, c := range r.found {
		if c.rank > 0 {
			full = append(full, c)
		}
	}
	switch {
	case len(full) > 0:
		return full
	case allObjects(r.found):
		return r.found
	default:
		return r.found[:1]
	}
}

func allObjects(found []candidate) bool {
	for _, c := range found {
		if c.v.Kind() != value.KindObject {
			return false
		}
	}
	return true
}

// byRank chooses by how much of an answer each is; among equals one in a fence, then a finished one, then the last where prose stands
// between them and the first where none does.
func (r *root) byRank(found []candidate) []candidate {
	best := 0
	between := false
	for i := 1; i < len(found); i++ {
		a, b := &found[best], &found[i]
		between = between || b.prose
		switch {
		case a.rank != b.rank:
			if b.rank > a.rank {
				best = i
			}
		case a.fenced != b.fenced:
			if b.fenced {
				best = i
			}
		case a.unfinished != b.unfinished:
			if a.unfinished {
				best = i
			}
		case between:
			best = i
		}
	}
	return found[best : best+1]
}

// bySchema chooses the candidates that fit the schema best; where it wants an array, all that fit its items.
func (r *root) bySchema(schema Shape) []candidate {
	budget := maxNodes
	scores := make([]float64, len(r.found))
	best := 0.0
	for i, c := range r.found {
		scores[i] = fit(c.v, schema, &budget)
		best = max(best, scores[i])
	}
	if schema.Accepts(value.KindArray) {
		items := make([]candidate, 0, len(r.found))
		total := 0.0
		for i, c := range r.found {
			if score := fit(c.v, schema.Item(len(items)), &budget); score > 0.5 && score > scores[i] {
				items = append(items, c)
				total += score
			}
		}
		if n := len(items); n > 1 && total/float64(n) > best {
			return items
		}
	}
	ties := make([]candidate, 0, len(r.found))
	for i, c := range r.found {
		if scores[i] >= best-1e-9 {
			ties = append(ties, c)
		}
	}
	return r.byRank(ties)
}

// fit says from 0 to 1 how well a value fits a shape. It is a comparison between candidates, not a judgement.
func fit(v value.Value, shape Shape, budget *int) float64 {
	if *budget--; shape == nil || *budget < 0 {
		return 1
	}
	if !shape.Accepts(v.Kind()) {
		if v.Kind() == value.KindObject || v.Kind() == value.KindArray || v.Kind() == value.KindNull {
			return 0
		}
		return 0.2 // Coercion may align it.
	}
	switch v.Kind() {
	case value.KindObject:
		return fitObject(v, shape, budget)
	case value.KindArray:
		sum := 0.0
		for i, item := range v.Items() {
			sum += fit(item, shape.Item(i), budget)
		}
		if v.Len() == 0 {
			return 0.5
		}
		return 0.5 + sum/float64(2*v.Len())
	}
	choices := shape.Choices()
	for _, choice := range choices {
		if value.Equal(choice, v) {
			return 1
		}
	}
	if len(choices) > 0 {
		return 0.4
	}
	return 1
}

func fitObject(v value.Value, shape Shape, budget *int) float64 {
	required, present := shape.Required(), 0
	for _, name := range required {
		if _, ok := v.Get(name); ok {
			present++
		}
		*budget -= v.Len()
	}
	named, sum := 0, 0.0
	for name, member := range v.Members() {
		s, known := shape.Property(name)
		if known {
			named++
		}
		sum += fit(member, s, budget)
	}
	score := 0.1
	if len(required) == 0 {
		score += 0.3
	} else {
		score += 0.3 * float64(present) / float64(len(required))
	}
	if v.Len() > 0 {
		score += 0.3*float64(named)/float64(v.Len()) + 0.3*sum/float64(v.Len())
	} else if len(required) == 0 {
		score += 0.1
	}
	return score
}

// noCandidate handles a text in which no JSON was found.
func (r *root) noCandidate() (Result, error) {
	schema := r.p.hints.Schema
	if result, ok := r.inProse(schema); ok {
		return result, nil
	}
	return r.text(false)
}

// text gives the text itself as a string, where one may stand. whole says that nothing but a string may.
func (r *root) text(whole bool) (Result, error) {
	p := r.p
	schema := p.hints.Schema
	if whole && len(r.found) == 1 && !r.anyProse && r.found[0].v.Kind() == value.KindString {
		return r.result(r.found), nil
	}
	raw := p.text[r.from:]
	trimmed := strings.TrimSpace(raw)
	if !hasWord(trimmed) {
		return Result{}, ErrNoValue
	}
	if !accepts(schema, value.KindString) && (strings.ContainsAny(trimmed, " \t\r\n") || len(trimmed) > lookLimit ||
		!schema.Accepts(value.KindNumber)) {
		return Result{}, ErrNoValue
	}
	if !whole {
		raw = trimmed
	}
	if p.dirty {
		raw = strings.ToValidUTF8(raw, "\uFFFD")
	}
	p.note(KindUnquoted, r.from)
	return Result{Value: value.String(raw).Located(r.from), Repairs: sortRepairs(p.repairs)}, nil
}

// hasWord reports whether a letter or a digit stands in the text.
func hasWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if letter(s[i]) || digit(s[i]) {
			return true
		}
	}
	return false
}

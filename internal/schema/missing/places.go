package missing

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Place is a place of an answer that the schema requires and for which it allows no honest value where the text gives none.
type Place struct {
	// Within says that the place is wanted only where the answer holds what contains it: an item of a list, something optional, one of several forms.
	Within bool

	steps []step
}

// step is a member's name or an item's index on the way to a place; without a token it stands for each of them.
type step struct {
	token string
	each  each
}

// each says what a step without a token stands for.
type each uint8

const (
	one each = iota
	eachItem
	eachMember
)

// Any stands in a place's pointer for every index of an array and every name of a dictionary.
const Any = "*"

// Pointer is the JSON pointer of the place in the answer, with [Any] where the place is one of many.
func (p Place) Pointer() string {
	pointer := ""
	for _, s := range p.steps {
		if s.each != one {
			s.token = Any
		}
		pointer = value.AppendPointer(pointer, s.token)
	}
	return pointer
}

// Many reports whether the place is one of many, so that its pointer alone does not say which.
func (p Place) Many() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.each != one })
}

// Is reports whether a pointer leads to the place.
func (p Place) Is(pointer string) bool {
	tokens, ok := value.Tokens(pointer)
	if !ok || len(tokens) != len(p.steps) {
		return false
	}
	for i, s := range p.steps {
		if s.each == one && s.token != tokens[i] || s.each == eachItem && !isIndex(tokens[i]) {
			return false
		}
	}
	return true
}

// Bounds of the search: a schema may be as large as limits.schema_bytes, and what is told to a model must stay short.
const (
	mostPlaces  = 100
	mostVisits  = 5_000
	mostNesting = 8
	mostAbove   = 2 // of a recursive schema: the place itself and one round of it
)

// Places finds the askable places of a schema in its own order. What it does not find, because the schema is too large or says it in a way that is not looked
// through, can't be asked for; the answer is judged by the schema all the same.
func Places(s *schema.Schema) []Place {
	f := finder{visits: mostVisits, found: map[string]int{}, above: map[schema.Place]int{}}
	f.walk([]schema.Place{s.Root()}, nil, stand{wanted: true})
	return f.list
}

// stand says how a place is wanted.
type stand struct {
	wanted bool // it is required of what contains it
	within bool // what contains it need not be there
	part   bool // it is an alternative or a condition of a place that was looked at as a whole
}

type finder struct {
	list   []Place
	found  map[string]int
	visits int
	above  map[schema.Place]int // how often the places on the way down have been met
}

// walk looks at all subschemas that judge one place.
func (f *finder) walk(set []schema.Place, at []step, how stand) {
	f.visits--
	if f.visits < 0 || len(at) > mostNesting || len(set) == 0 {
		return
	}
	all := closure(set)
	if slices.ContainsFunc(all, settled) || !how.part && nullable(set) || slices.ContainsFunc(all, func(p schema.Place) bool { return f.above[p] >= mostAbove }) {
		return
	}
	for _, p := range all {
		f.above[p]++
		defer func() { f.above[p]-- }()
	}
	kinds := kindsOf(all)
	if how.wanted && (kinds&^(objects|arrays) != 0 || mustHold(all, kinds)) {
		f.add(at, how.within)
	}
	if kinds&objects != 0 {
		f.members(all, at, how)
	}
	if kinds&arrays != 0 {
		f.items(all, at)
	}
	for _, p := range all {
		for _, choice := range p.Choices() {
			for _, branch := range choice.Branches {
				f.walk([]schema.Place{branch}, at, stand{within: true, part: true})
			}
		}
		for _, sub := range p.Conditionals() {
			f.walk([]schema.Place{sub}, at, stand{within: true, part: true})
		}
	}
}

func (f *finder) add(at []step, within bool) {
	p := Place{Within: within, steps: slices.Clone(at)}
	pointer := p.Pointer()
	if i, known := f.found[pointer]; known {
		f.list[i].Within = f.list[i].Within && within
		return
	}
	if len(f.list) < mostPlaces {
		f.found[pointer] = len(f.list)
		f.list = append(f.list, p)
	}
}

// members goes into an object: what it requires is wanted as the object is, and what it does not require only has an inside to ask for.
func (f *finder) members(all []schema.Place, at []step, how stand) {
	required, subs := map[string]bool{}, map[string][]schema.Place{}
	var names []string
	for _, p := range all {
		for name := range p.Required() {
			required[name] = true
		}
		for name, sub := range p.Properties() {
			if _, known := subs[name]; !known {
				names = append(names, name)
			}
			subs[name] = append(subs[name], sub)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		if _, known := subs[name]; known {
			continue
		}
		for _, p := range all {
			subs[name] = append(subs[name], p.Member(name)...)
		}
		names = append(names, name)
	}
	for _, name := range names {
		f.walk(subs[name], append(slices.Clip(at), step{token: name}), stand{wanted: required[name], within: how.within || !required[name] || !how.wanted})
	}
	for _, p := range all {
		if sub, ok := p.Additional(); ok {
			f.walk([]schema.Place{sub}, append(slices.Clip(at), step{each: eachMember}), stand{wanted: true, within: true})
		}
		for _, sub := range p.Patterns() {
			f.walk([]schema.Place{sub}, append(slices.Clip(at), step{each: eachMember}), stand{wanted: true, within: true})
		}
	}
}

// items goes into an array. An item that is there is there because the text speaks of it, so that what it requires is wanted.
func (f *finder) items(all []schema.Place, at []step) {
	for _, p := range all {
		first, rest, ok := p.Items()
		for i, sub := range first {
			f.walk([]schema.Place{sub}, append(slices.Clip(at), step{token: strconv.Itoa(i)}), stand{wanted: true, within: true})
		}
		if ok {
			f.walk([]schema.Place{rest}, append(slices.Clip(at), step{each: eachItem}), stand{wanted: true, within: true})
		}
	}
}

// nullable reports whether null may stand at the place.
func nullable(set []schema.Place) bool {
	return !slices.ContainsFunc(set, func(p schema.Place) bool { return !p.Accepts(context.Background(), value.Null()) }) // Bounded in steps.
}

// settled reports whether a subschema itself gives a value for want of another: by default, or because there is one that means it or one alone.
func settled(p schema.Place) bool {
	if _, ok := p.Get("default"); ok || p.Never() {
		return true
	}
	if _, ok := p.Get("const"); ok {
		return true
	}
	if listed, ok := p.Get("enum"); ok && listed.Kind() == value.KindArray && (listed.Len() == 1 || slices.ContainsFunc(listOf(listed), meansUnknown)) {
		return true
	}
	for _, choice := range p.Choices() {
		for _, branch := range choice.Branches {
			if only, ok := branch.Get("const"); ok && meansUnknown(only) {
				return true
			}
			if listed, ok := branch.Get("enum"); ok && listed.Kind() == value.KindArray && slices.ContainsFunc(listOf(listed), meansUnknown) {
				return true
			}
		}
	}
	return false
}

func listOf(v value.Value) []value.Value {
	list := make([]value.Value, v.Len())
	for i := range list {
		list[i] = v.At(i)
	}
	return list
}

// meansUnknown tells listed values by which schemas say that something is not known.
func meansUnknown(v value.Value) bool {
	if v.IsNull() {
		return true
	}
	if v.Kind() != value.KindString {
		return false
	}
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-/.", r) {
			return -1
		}
		return r
	}, strings.ToLower(v.Text()))
	switch plain {
	case "", "unknown", "notknown", "unspecified", "notspecified", "unstated", "notstated", "notgiven", "notprovided", "notmentioned", "undefined", "undetermined", "unclear",
		"unsure", "missing", "none", "null", "na", "notavailable", "notapplicable":
		return true
	default:
		return false
	}
}

// closure adds what judges the same value in any case.
func closure(set []schema.Place) []schema.Place {
	const most = 200
	var all []schema.Place
	seen := map[schema.Place]bool{}
	for queue := slices.Clone(set); len(queue) > 0 && len(all) < most; queue = queue[1:] {
		p := queue[0]
		if !seen[p] {
			seen[p] = true
			all = append(all, p)
			queue = append(queue, p.Conjuncts()...)
		}
	}
	return all
}

// kinds is a set of the kinds of values.
type kinds uint8

const (
	arrays  kinds = 1 << value.KindArray
	objects kinds = 1 << value.KindObject
	every   kinds = 1<<(value.KindObject+1) - 1
)

// kindsOf gives the kinds that all of them allow; of alternatives one has to.
func kindsOf(all []schema.Place) kinds {
	left := every
	for _, p := range all {
		left &= own(p)
		for _, choice := range p.Choices() {
			var either kinds
			for _, branch := range choice.Branches {
				allowed := every
				for _, b := range closure([]schema.Place{branch}) {
					allowed &= own(b)
				}
				either |= allowed
			}
			left &= either
		}
	}
	return left
}

func own(p schema.Place) kinds {
	var allowed kinds
	for k := value.KindNull; k <= value.KindObject; k++ {
		if ok, _ := p.Allows(k); ok && !p.Never() {
			allowed |= 1 << k
		}
	}
	if listed, ok := p.Get("enum"); ok {
		var among kinds
		for _, v := range listOf(listed) {
			among |= 1 << v.Kind()
		}
		allowed &= among
	}
	return allowed
}

// mustHold reports whether an array or object has to hold something of which no single place is required.
func mustHold(all []schema.Place, k kinds) bool {
	for _, p := range all {
		if least, _ := p.Sizes(value.KindArray); k&arrays != 0 && least > 0 {
			return true
		}
		if least, _ := p.Sizes(value.KindObject); k&objects != 0 && least > 0 && !demands(p) {
			return true
		}
	}
	return false
}

func demands(p schema.Place) bool {
	for range p.Required() {
		return true
	}
	return false
}

func isIndex(token string) bool {
	n, err := strconv.Atoi(token)
	return err == nil && n >= 0 && strconv.Itoa(n) == token
}

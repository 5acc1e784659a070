package lint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// findUnused gives the definitions that no reference leads to, from the root or from what it leads to, in the order of the schema.
func findUnused(s *schema.Schema) []string {
	u := usage{definitions: map[string]bool{}, references: map[string][]reference{}, named: map[string][]string{}}
	places := map[string]bool{}
	for _, pointer := range s.Order() {
		places[pointer] = true
	}
	var order []string
	for _, pointer := range s.Order() {
		if isDefinition(pointer, places) {
			u.definitions[pointer] = true
			order = append(order, pointer)
		}
	}
	if len(order) == 0 {
		return nil
	}
	u.read(s.Value(), "", "", "", places)
	used := u.follow()
	var unused []string
	for _, pointer := range order {
		if !used[pointer] {
			unused = append(unused, pointer)
		}
	}
	return unused
}

// isDefinition reports whether a place is a member of $defs or definitions.
func isDefinition(pointer string, places map[string]bool) bool {
	end := strings.LastIndexByte(pointer, '/')
	if end < 0 {
		return false
	}
	holder, ok := strings.CutSuffix(pointer[:end], "/$defs")
	if !ok {
		holder, ok = strings.CutSuffix(pointer[:end], "/definitions")
	}
	return ok && places[holder]
}

// usage is who refers to what: an owner is a definition, or the root, which is "".
type usage struct {
	definitions map[string]bool
	references  map[string][]reference // by owner
	named       map[string][]string    // the places of an identifier or anchor
}

// reference is a reference with the place of the resource that it is read from.
type reference struct{ text, base string }

// read gathers the references and names of everything below a value.
func (u *usage) read(v value.Value, pointer, owner, base string, places map[string]bool) {
	if u.definitions[pointer] {
		owner = pointer
	}
	switch v.Kind() {
	case value.KindObject:
		if hasID(v) && places[pointer] {
			base = pointer
		}
		for name, item := range v.Members() {
			if item.Kind() == value.KindString && places[pointer] {
				u.note(name, item.Text(), pointer, owner, base)
			}
			u.read(item, value.AppendPointer(pointer, name), owner, base, places)
		}
	case value.KindArray:
		for i, item := range v.Items() {
			u.read(item, value.AppendIndex(pointer, i), owner, base, places)
		}
	}
}

func hasID(v value.Value) bool {
	_, ok := v.Get("$id")
	if !ok {
		_, ok = v.Get("id")
	}
	return ok
}

func (u *usage) note(keyword, text, pointer, owner, base string) {
	switch keyword {
	case "$ref", "$dynamicRef", "$recursiveRef":
		u.references[owner] = append(u.references[owner], reference{text, base})
	case "$anchor", "$dynamicAnchor":
		u.named[text] = append(u.named[text], pointer)
	case "$id", "id":
		// Identifiers are resolved against each other: their last part is what all spellings have in common.
		text, fragment, _ := strings.Cut(text, "#")
		for _, name := range [...]string{text[strings.LastIndexByte(text, '/')+1:], fragment} {
			if name != "" {
				u.named[name] = append(u.named[name], pointer)
			}
		}
	}
}

// follow gives the definitions that the root leads to.
func (u *usage) follow() map[string]bool {
	used := map[string]bool{"": true}
	queue := []string{""}
	for len(queue) > 0 {
		owner := queue[0]
		queue = queue[1:]
		for _, ref := range u.references[owner] {
			for _, target := range u.targets(ref) {
				// What holds a definition holds the one inside it.
				for at := target; at != ""; at = at[:strings.LastIndexByte(at, '/')] {
					if u.definitions[at] && !used[at] {
						used[at] = true
						queue = append(queue, at)
					}
				}
			}
		}
	}
	return used
}

// targets gives the places that a reference may mean: rather too many than too few.
func (u *usage) targets(r reference) []string {
	uri, fragment, _ := strings.Cut(r.text, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	named := u.named[uri[strings.LastIndexByte(uri, '/')+1:]]
	if !strings.HasPrefix(fragment, "/") {
		return slices.Concat(named, u.named[fragment])
	}
	list := []string{fragment, r.base + fragment}
	for _, at := range named {
		list = append(list, at+fragment)
	}
	return list
}

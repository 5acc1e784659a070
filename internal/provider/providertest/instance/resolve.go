package instance

import (
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// resolve follows a reference within the document. One that leads outside is not found, and says nothing.
func (m *maker) resolve(ref string) (value.Value, bool) {
	base, fragment, _ := strings.Cut(ref, "#")
	within := m.root
	if base != "" {
		found, ok := find(m.root, func(s value.Value) bool {
			for _, keyword := range [...]string{"$id", "id"} {
				if id, ok := s.Get(keyword); ok && id.Kind() == value.KindString && sameAddress(id.Text(), base) {
					return true
				}
			}
			return false
		}, 0)
		if !ok {
			return value.Null(), false
		}
		within = found
	}
	if plain, err := url.PathUnescape(fragment); err == nil {
		fragment = plain
	}
	if fragment == "" {
		return within, true
	}
	if strings.HasPrefix(fragment, "/") {
		return within.Lookup(fragment)
	}
	return find(within, func(s value.Value) bool {
		for _, keyword := range [...]string{"$anchor", "$dynamicAnchor"} {
			if name, ok := s.Get(keyword); ok && name.Text() == fragment {
				return true
			}
		}
		for _, keyword := range [...]string{"$id", "id"} {
			if id, ok := s.Get(keyword); ok && id.Text() == "#"+fragment {
				return true
			}
		}
		return false
	}, 0)
}

// sameAddress compares an identifier with a reference; a relative reference is one to the identifier that ends in it.
func sameAddress(id, ref string) bool {
	id = strings.TrimSuffix(id, "#")
	return id == ref || strings.HasSuffix(id, "/"+strings.TrimPrefix(ref, "/"))
}

// find gives the first object, in the document's order, for which is is true.
func find(v value.Value, is func(value.Value) bool, depth int) (value.Value, bool) {
	if depth > 64 {
		return value.Null(), false
	}
	if v.Kind() == value.KindObject && is(v) {
		return v, true
	}
	for i := range v.Len() {
		if found, ok := find(v.At(i), is, depth+1); ok {
			return found, true
		}
	}
	return value.Null(), false
}

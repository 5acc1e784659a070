package compat

import "github.com/promptd/promptd/internal/value"

// in gives the spot of a member.
func (s *spot) in(holder group, name string) *spot {
	return &spot{path: value.AppendPointer(s.path, name), level: s.level + 1, up: s, group: holder, name: name}
}

// at gives the spot of an item.
func (s *spot) at(holder group, index int) *spot {
	return &spot{path: value.AppendIndex(s.path, index), level: s.level + 1, up: s, group: holder, index: index, item: true}
}

// below gives the spot of members that nothing names.
func (s *spot) below(holder group) *spot {
	return &spot{path: s.path + "/*", level: s.level + 1, up: s, group: holder, unnamed: true}
}

package schema

import (
	"context"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// part gives the place that a pointer leads to; a token of digits is an item.
func (s *Schema) part(pointer string, mode Mode) *Part {
	p := s.Unfinished(mode)
	tokens, _ := value.Tokens(pointer)
	for _, token := range tokens {
		if index, err := strconv.Atoi(token); err == nil {
			p = p.Item(index)
		} else {
			p = p.Member(token)
		}
	}
	return p
}

// AcceptPart reports whether a field may be shown as it is.
func (s *Schema) AcceptPart(ctx context.Context, pointer string, v value.Value) bool {
	_, ok := s.part(pointer, Off).Field(ctx, v)
	return ok
}

// AcceptKind reports whether a container may be shown.
func (s *Schema) AcceptKind(pointer string, k value.Kind) bool {
	return s.part(pointer, Off).MayHold(k)
}

package repair

import "github.com/promptd/promptd/internal/value"

// Shape says what is expected at one place. It is all that repair knows of a schema; [ShapeOf] makes one from a JSON Schema.
// A nil Shape is a place of which nothing is known. Implementations are safe for concurrent use.
type Shape interface {
	// Accepts reports whether a value of that kind may stand here.
	Accepts(kind value.Kind) bool
	// Property gives the shape of the member of that name, nil where nothing is known, and whether the schema names the member.
	Property(name string) (shape Shape, named bool)
	// Required gives the names that must be there.
	Required() []string
	// Item gives the shape of an array's item, nil where nothing is known.
	Item(i int) Shape
	// Choices gives the values that alone may stand here; nil where any may.
	Choices() []value.Value
}

// accepts is Accepts for a shape that may be nil.
func accepts(s Shape, kind value.Kind) bool { return s == nil || s.Accepts(kind) }

// only reports whether nothing but a value of that kind may stand here.
func only(s Shape, kind value.Kind) bool {
	if s == nil || !s.Accepts(kind) {
		return false
	}
	for k := value.KindNull; k <= value.KindObject; k++ {
		if k != kind && s.Accepts(k) {
			return false
		}
	}
	return true
}

func property(s Shape, name string) Shape {
	if s == nil {
		return nil
	}
	shape, _ := s.Property(name)
	return shape
}

func item(s Shape, i int) Shape {
	if s == nil {
		return nil
	}
	return s.Item(i)
}

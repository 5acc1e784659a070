package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/promptd/promptd/internal/value"
)

// Valid is a value that a schema has judged and allows. The zero Valid is "not valid"; only Accept and Restore make another one, so that
// "passed" is a type (promise 1).
type Valid struct {
	v    value.Value
	hash [32]byte
	ok   bool
}

// OK reports whether the value is valid.
func (v Valid) OK() bool { return v.ok }

// Value gives the judged value; null where it is not valid.
func (v Valid) Value() value.Value { return v.v }

// SchemaHash gives the content hash of the schema that judged.
func (v Valid) SchemaHash() [32]byte { return v.hash }

// Accept judges a value by the whole schema. The work is bounded in steps and by the context: where either ends first, the value is not
// valid and the report's only entry has the keyword LIMIT.
func (s *Schema) Accept(ctx context.Context, v value.Value) (Valid, Report) {
	t := s.trial(ctx, judgeSteps)
	defer s.release(t)
	if t.run(s.root, v, nil) && !t.stopped {
		return Valid{v: v, hash: s.hash, ok: true}, Report{}
	}
	if t.stopped {
		return Valid{}, Report{Errors: []Entry{limitEntry(ctx)}}
	}
	return Valid{}, s.explain(ctx, v, explainSteps+t.steps)
}

// explain judges once more and collects entries. It has steps of its own and those that the verdict left.
func (s *Schema) explain(ctx context.Context, v value.Value, steps int) Report {
	t := s.trial(ctx, steps)
	defer s.release(t)
	t.report = &collector{}
	t.run(s.root, v, nil)
	report := t.report.finish()
	if len(report.Errors) == 0 {
		report.Errors = []Entry{limitEntry(ctx)}
	}
	return report
}

func limitEntry(ctx context.Context) Entry {
	e := Entry{
		Keyword: KeywordLimit, Expected: fmt.Sprintf("at most %d steps", judgeSteps), Message: "judging this value by this schema takes too many steps and was given up",
		Hint: "Simplify the schema: alternatives within alternatives multiply, and so do rules that go through an array for each of its items.",
	}
	if ctx.Err() != nil {
		e.Message, e.Hint = "judging was stopped before it ended", "Allow more time."
	}
	return e
}

// ErrNotValid says that a value that was stored as valid is not valid by its schema.
var ErrNotValid = errors.New("the stored value is not valid by its schema") //nolint:gochecknoglobals // A sentinel error.

// Restore makes a Valid of a value that comes back from the cache, where it is kept under a key that holds the schema's hash. The value is
// judged again: that costs no allocation, and a store that was changed or mixed up serves nothing wrong.
// It has one caller, the cache's look-up.
func Restore(s *Schema, v value.Value) (Valid, error) {
	t := s.trial(context.Background(), judgeSteps)
	defer s.release(t)
	if t.run(s.root, v, nil) && !t.stopped {
		return Valid{v: v, hash: s.hash, ok: true}, nil
	}
	return Valid{}, ErrNotValid
}

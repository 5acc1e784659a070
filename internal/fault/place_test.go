package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
)

// shared is a fault that others hold as well.
func shared(code fault.Code) *fault.Fault {
	return &fault.Fault{
		Code: code, Detail: "it is wrong", Remediation: "Put it right.",
		Entries: []fault.Entry{{Pointer: "", Rule: "type", Message: "a", Hint: "b"}, {Pointer: "/x", Rule: "enum", Message: "c"}},
	}
}

func TestAMovedFaultIsACopy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		move func(*fault.Fault) *fault.Fault
		code fault.Code
		want []fault.Entry
	}{
		"under": {
			func(f *fault.Fault) *fault.Fault { return f.Under("/schema") }, fault.InvalidSchema,
			[]fault.Entry{{Pointer: "/schema", Rule: "type", Message: "a", Hint: "b"}, {Pointer: "/schema/x", Rule: "enum", Message: "c"}},
		},
		"moved": {
			func(f *fault.Fault) *fault.Fault { return f.Moved(func(e *fault.Entry) { e.Message += "!" }) }, fault.InvalidRequest,
			[]fault.Entry{{Rule: "type", Message: "a!", Hint: "b"}, {Pointer: "/x", Rule: "enum", Message: "c!"}},
		},
		"at a reference that names nothing": {
			func(f *fault.Fault) *fault.Fault { return f.At("/template", "reference") }, fault.NotFound,
			[]fault.Entry{{Pointer: "/template", Rule: "reference", Message: "it is wrong", Hint: "Put it right."}},
		},
		"at a reference that is none": {
			func(f *fault.Fault) *fault.Fault { return f.At("/template", "reference") }, fault.InvalidRequest,
			[]fault.Entry{{Pointer: "/template", Rule: "type", Message: "it is wrong", Hint: "b"}},
		},
	} {
		f := shared(c.code)
		got := c.move(f)
		want := shared(c.code)
		want.Entries = c.want
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff(shared(c.code), f); d != "" {
			t.Errorf("%s: the fault itself was changed (-before +after):\n%s", name, d)
		}
	}
}

func TestOnlyTheFaultsOfASchemaAreMovedToIt(t *testing.T) {
	t.Parallel()
	moved := fault.Of(fault.InSchema("/schema", fmt.Errorf("compile: %w", shared(fault.InvalidSchema))))
	if got := moved.Entries[1].Pointer; got != "/schema/x" {
		t.Errorf("got the pointer %q, want /schema/x", got)
	}
	for _, err := range []error{nil, errors.New("disk is full"), shared(fault.InvalidRequest)} {
		if got := fault.InSchema("/schema", err); !errors.Is(got, err) || err == nil && got != nil {
			t.Errorf("%v became %v", err, got)
		}
	}
}

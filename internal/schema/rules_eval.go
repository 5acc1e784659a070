package schema

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// A rule on one value ends after so many steps, which is enough to sum up an array of ten thousand items. A step of a rule is worth several
// steps of the trial: it goes through closures and boxes its results. One rule to its end is worth less than explainSteps, so that what it
// says can be reported.
const (
	ruleSteps     = 80_000
	ruleStepPrice = 6
)

// errRuleSteps says that a rule takes too many steps, or that the trial has ended: nothing absorbs it.
var errRuleSteps = errors.New("the rule takes too many steps") //nolint:gochecknoglobals // A sentinel error.

// ruleFault says why a rule has no result on a value, and what to do about it. As everywhere in CEL it passes through operators, but not through an && or ||
// that the other side decides.
type ruleFault struct{ message, hint string }

func (f *ruleFault) Error() string { return f.message }

// evaluation is a rule's run on one value.
type evaluation struct {
	t    *trial
	left int
	// frame holds self and the variables of the macros under way.
	frame []outcome
	// stack holds the arguments of calls.
	stack []any
}

// begin makes the run of a program on a value.
func (p *ruleProgram) begin(t *trial, self value.Value) *evaluation {
	e := &evaluation{t: t, left: ruleSteps, frame: make([]outcome, p.slots)}
	e.frame[0].x = ofData(self)
	return e
}

// outcome is a variable: a value, or the fault that an accumulator has met.
type outcome struct {
	x   any
	err error
}

// spend takes steps from the rule's own budget and from the trial's.
func (e *evaluation) spend(n int) error {
	if e.left -= n; e.left < 0 || !e.t.spend(n*ruleStepPrice) {
		return errRuleSteps
	}
	return nil
}

// expr is a compiled expression.
type expr func(e *evaluation) (any, error)

// function is what a call does. It must not keep its arguments' slice.
type function func(e *evaluation, args []any) (any, error)

func constant(x any) expr {
	return func(e *evaluation) (any, error) { return x, e.spend(1) }
}

func variable(slot int) expr {
	return func(e *evaluation) (any, error) { return e.frame[slot].x, e.spend(1) }
}

// call evaluates the arguments in order, then the function.
func call(f function, args []expr) expr {
	return func(e *evaluation) (any, error) {
		base := len(e.stack)
		for _, arg := range args {
			x, err := arg(e)
			if err != nil {
				e.stack = e.stack[:base]
				return nil, err
			}
			e.stack = append(e.stack, x)
		}
		var x any
		err := e.spend(1)
		if err == nil {
			x, err = f(e, e.stack[base:])
		}
		e.stack = e.stack[:base]
		return x, err
	}
}

// logic is && (where decisive is false) or || (true): the decisive value on either side decides, whatever the other side is.
func logic(decisive bool, left, right expr) expr {
	name := "&&"
	if decisive {
		name = "||"
	}
	return func(e *evaluation) (any, error) {
		a, first := truth(name, left, e)
		if errors.Is(first, errRuleSteps) || first == nil && a == decisive {
			return a, first
		}
		b, second := truth(name, right, e)
		if second == nil && b == decisive || errors.Is(second, errRuleSteps) || first == nil {
			return b, second
		}
		return nil, first
	}
}

func truth(name string, x expr, e *evaluation) (bool, error) {
	v, err := x(e)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, &ruleFault{name + " is given " + kindName(v), "Compare the value with something, so that it is true or false."}
	}
	return b, nil
}

func conditional(cond, then, otherwise expr) expr {
	return func(e *evaluation) (any, error) {
		b, err := truth("?:", cond, e)
		switch {
		case err != nil:
			return nil, err
		case b:
			return then(e)
		default:
			return otherwise(e)
		}
	}
}

// member is operand.name, or has(operand.name) where it only tests.
func member(operand expr, name string, test bool, path string) expr {
	return func(e *evaluation) (any, error) {
		x, err := operand(e)
		if err != nil {
			return nil, err
		}
		m, ok := x.(record)
		if !ok && test {
			return false, e.spend(1) // What is no object has no members.
		}
		if !ok {
			return nil, &ruleFault{
				fmt.Sprintf("%s is %s and has no member %s", path, kindName(x), quote(name)),
				"Give an object there, or test it in the rule first: " + path + " != null && …",
			}
		}
		item, there, err := e.get(m, name)
		switch {
		case err != nil:
			return nil, err
		case test:
			return there, nil
		case !there:
			return nil, missing(path, name)
		default:
			return item, nil
		}
	}
}

func missing(path, name string) *ruleFault {
	return &ruleFault{
		fmt.Sprintf("%s has no member %s", path, quote(name)),
		fmt.Sprintf("Add %s; a rule that holds without it says so: !has(%s.%s) || …", quote(name), path, name),
	}
}

// index is operand[key].
func index(e *evaluation, args []any) (any, error) {
	switch x := args[0].(type) {
	case *array:
		n, ok := args[1].(exact)
		if !ok {
			return nil, mismatch("indexed with", x, args[1])
		}
		i, ok := n.index()
		if !ok || i < 0 || i >= x.len() {
			return nil, &ruleFault{"an array of " + strconv.Itoa(x.len()) + " items has no item " + cut(n.String(), 40), "Test the size first: size(list) > n && …"}
		}
		return x.at(i), nil
	case record:
		item, ok, err := e.get(x, args[1])
		if err == nil && !ok {
			key, isName := args[1].(string)
			if !isName {
				key = "of that key"
			}
			err = missing("the object", key)
		}
		return item, err
	default:
		return nil, &ruleFault{kindName(x) + " has no items", "Give an array or an object there."}
	}
}

func makeList(items []expr) expr {
	return func(e *evaluation) (any, error) {
		made := make([]any, len(items))
		for i, item := range items {
			var err error
			if made[i], err = item(e); err != nil {
				return nil, err
			}
		}
		return &array{made: made}, e.spend(1)
	}
}

func makeRecord(keys, values []expr) expr {
	return func(e *evaluation) (any, error) {
		m := record{made: make([]rulePair, 0, len(keys))}
		for i := range keys {
			key, err := keys[i](e)
			if err != nil {
				return nil, err
			}
			switch key.(type) {
			case string, bool, exact:
			default:
				return nil, &ruleFault{kindName(key) + " is the key of a map", "Use strings, numbers or booleans as keys."}
			}
			if _, twice, err := e.get(m, key); err != nil || twice {
				if err == nil {
					err = &ruleFault{"a map has a key twice", "Write each key once."}
				}
				return nil, err
			}
			item, err := values[i](e)
			if err != nil {
				return nil, err
			}
			m.made = append(m.made, rulePair{key, item})
		}
		return m, e.spend(1)
	}
}

// fold is a macro: all, exists, exists_one, map or filter.
type fold struct {
	over, init, cond, step, result expr
	item, accu                     int // slots of the frame
	// lasting is set for all and exists: they go on behind a fault, for a later item may decide.
	lasting bool
}

func (f *fold) eval(e *evaluation) (any, error) {
	over, err := f.over(e)
	if err != nil {
		return nil, err
	}
	var n int
	var at func(i int) any
	switch x := over.(type) {
	case *array:
		n, at = x.len(), x.at
	case record:
		n, at = x.len(), func(i int) any { key, _ := x.at(i); return key }
	default:
		return nil, &ruleFault{kindName(over) + " has no items to go through", "Give an array or an object there."}
	}
	accu, err := f.init(e)
	if err != nil {
		return nil, err
	}
	var fault error
	for i := range n {
		e.frame[f.item].x, e.frame[f.accu] = at(i), outcome{accu, fault}
		more, err := truth("a macro", f.cond, e)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if accu, fault = f.step(e); fault != nil && (!f.lasting || errors.Is(fault, errRuleSteps)) {
			return nil, fault
		}
	}
	e.frame[f.accu] = outcome{accu, fault}
	return f.result(e)
}

func accumulator(slot int) expr {
	return func(e *evaluation) (any, error) {
		o := e.frame[slot]
		if o.err != nil {
			return nil, o.err
		}
		return o.x, e.spend(1)
	}
}

// grow is the step of map and filter: the list under way is nobody else's, so that it grows in place.
func grow(slot int, items []expr) expr {
	return func(e *evaluation) (any, error) {
		o := e.frame[slot]
		if o.err != nil {
			return nil, o.err
		}
		l, _ := o.x.(*array)
		for _, item := range items {
			x, err := item(e)
			if err != nil {
				return nil, err
			}
			l.made = append(l.made, x)
		}
		return l, e.spend(1)
	}
}

// notStrictlyFalse lets all and exists go on behind a fault.
func notStrictlyFalse(x expr) expr {
	return func(e *evaluation) (any, error) {
		v, err := x(e)
		if errors.Is(err, errRuleSteps) {
			return nil, err
		}
		b, ok := v.(bool)
		return err != nil || !ok || b, nil
	}
}

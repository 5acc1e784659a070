package schema

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"cel.dev/cel-go/common/operators"
)

// functionNamed is the table of what rules may call; rules_declare.go has the types. Operators that do not evaluate all their arguments
// are made by the compiler.
func functionNamed(name string) (function, bool) {
	switch name {
	case operators.Equals:
		return func(e *evaluation, args []any) (any, error) { return e.equal(args[0], args[1]) }, true
	case operators.NotEquals:
		return func(e *evaluation, args []any) (any, error) {
			same, err := e.equal(args[0], args[1])
			return !same, err
		}, true
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return comparison(name), true
	case operators.Add:
		return add, true
	case operators.Subtract:
		return subtract, true
	case operators.Multiply, operators.Divide, operators.Modulo:
		return arithmetic(name), true
	case operators.Negate:
		return negate, true
	case operators.LogicalNot:
		return not, true
	case operators.Index:
		return index, true
	case operators.In:
		return contained, true
	case "size":
		return size, true
	case "contains", "startsWith", "endsWith":
		return search(name), true
	case "matches":
		return matches, true
	case "lowerAscii", "upperAscii", "trim":
		return reshape(name), true
	case "sum", "min", "max":
		return aggregate(name), true
	case "unique":
		return unique, true
	case "abs", "round", "floor", "ceil", "trunc":
		return rounded(name), true
	case "number", "double", "int":
		return toNumber(name), true
	case "string":
		return toString, true
	case "timestamp", "date", "duration":
		return toTime(name), true
	case "dyn":
		return func(_ *evaluation, args []any) (any, error) { return args[0], nil }, true
	default:
		return nil, false
	}
}

func comparison(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		order, err := e.order(args[0], args[1])
		if err != nil {
			return nil, err
		}
		switch name {
		case operators.Less:
			return order < 0, nil
		case operators.LessEquals:
			return order <= 0, nil
		case operators.Greater:
			return order > 0, nil
		default:
			return order >= 0, nil
		}
	}
}

func add(e *evaluation, args []any) (any, error) {
	switch a := args[0].(type) {
	case exact:
		if b, ok := args[1].(exact); ok {
			return priced(e, apart(a, b), func() (exact, error) { return a.add(b) })
		}
	case string:
		if b, ok := args[1].(string); ok {
			const free = 32 // What is made is paid for, so that doubling a text over and over ends.
			if err := e.spend((len(a) + len(b)) / free); err != nil {
				return nil, err
			}
			return a + b, nil
		}
	case *array:
		if b, ok := args[1].(*array); ok {
			if err := e.spend((1 + numberPrice) * (a.len() + b.len())); err != nil {
				return nil, err
			}
			made := make([]any, 0, a.len()+b.len())
			for _, l := range []*array{a, b} {
				for i := range l.len() {
					made = append(made, l.at(i))
				}
			}
			return &array{made: made}, nil
		}
	case time.Time:
		if b, ok := args[1].(time.Duration); ok {
			return a.Add(b), nil
		}
	case time.Duration:
		switch b := args[1].(type) {
		case time.Duration:
			return span(a, b)
		case time.Time:
			return b.Add(a), nil
		}
	}
	return nil, mismatch("added to", args[0], args[1])
}

func subtract(e *evaluation, args []any) (any, error) {
	switch a := args[0].(type) {
	case exact:
		if b, ok := args[1].(exact); ok {
			return priced(e, apart(a, b), func() (exact, error) { return a.sub(b) })
		}
	case time.Time:
		switch b := args[1].(type) {
		case time.Time:
			return a.Sub(b), nil
		case time.Duration:
			return a.Add(-b), nil
		}
	case time.Duration:
		if b, ok := args[1].(time.Duration); ok {
			return span(a, -b)
		}
	}
	return nil, mismatch("computed with", args[0], args[1])
}

// span adds durations, which have about 290 years of room.
func span(a, b time.Duration) (any, error) {
	if sum := a + b; b >= 0 && sum >= a || b < 0 && sum < a {
		return sum, nil
	}
	return nil, &ruleFault{"a duration is too long", "Compare shorter spans."}
}

func arithmetic(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		a, first := args[0].(exact)
		b, second := args[1].(exact)
		if !first || !second {
			return nil, mismatch("computed with", args[0], args[1])
		}
		switch name {
		case operators.Multiply:
			return priced(e, a.words()*b.words(), func() (exact, error) { return a.mul(b) })
		case operators.Divide:
			const work = 10 // A division looks for the end of the quotient first.
			return priced(e, work*(1+a.words()+b.words()), func() (exact, error) { return a.quo(b) })
		default:
			const base = 4
			return priced(e, base+apart(a, b), func() (exact, error) { return a.rem(b) })
		}
	}
}

// priced pays for an operation, then does it.
func priced(e *evaluation, price int, f func() (exact, error)) (any, error) {
	if err := e.spend(price); err != nil {
		return nil, err
	}
	return f()
}

func negate(_ *evaluation, args []any) (any, error) {
	switch a := args[0].(type) {
	case exact:
		return a.neg(), nil
	case time.Duration:
		return span(0, -a)
	default:
		return nil, &ruleFault{kindName(a) + " stands behind -", "Give a number there."}
	}
}

func not(_ *evaluation, args []any) (any, error) {
	if b, ok := args[0].(bool); ok {
		return !b, nil
	}
	return nil, &ruleFault{kindName(args[0]) + " stands behind !", "Compare the value with something, so that it is true or false."}
}

// contained is the operator in.
func contained(e *evaluation, args []any) (any, error) {
	switch in := args[1].(type) {
	case *array:
		for i := range in.len() {
			if same, err := e.equal(args[0], in.at(i)); same || err != nil {
				return same, err
			}
		}
		return false, nil
	case record:
		_, ok, err := e.get(in, args[0])
		return ok, err
	default:
		return nil, &ruleFault{kindName(in) + " stands behind in", "Give an array or an object there."}
	}
}

func size(e *evaluation, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		const free = 64
		if err := e.spend(len(x) / free); err != nil {
			return nil, err
		}
		n := 0
		for range x {
			n++
		}
		return exactInt(int64(n)), nil
	case *array:
		return exactInt(int64(x.len())), nil
	case record:
		return exactInt(int64(x.len())), nil
	default:
		return nil, &ruleFault{kindName(x) + " has no size", "Give a string, an array or an object there."}
	}
}

// texts gives the arguments as strings.
func texts(name string, args []any) (a, b string, err error) {
	var ok bool
	for i, to := range []*string{&a, &b}[:min(len(args), 2)] {
		if *to, ok = args[i].(string); !ok {
			return "", "", &ruleFault{name + " is given " + kindName(args[i]), "Give a string there."}
		}
	}
	return a, b, nil
}

func search(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		s, part, err := texts(name, args)
		if err != nil {
			return nil, err
		}
		const free = 64
		if err := e.spend((len(s) + len(part)) / free); err != nil {
			return nil, err
		}
		switch name {
		case "contains":
			return strings.Contains(s, part), nil
		case "startsWith":
			return strings.HasPrefix(s, part), nil
		default:
			return strings.HasSuffix(s, part), nil
		}
	}
}

// regex is a pattern of a rule, compiled with it.
type regex struct {
	*regexp.Regexp
	size int
}

// maxRegex bounds a pattern's program, which every character of a text may have to run through.
const maxRegex = 1000

func compileRegex(text string) (*regex, string) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err.Error()
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err.Error()
	}
	if len(program.Inst) > maxRegex {
		return nil, "the regular expression is too large"
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err.Error()
	}
	return &regex{compiled, len(program.Inst)}, ""
}

func matches(e *evaluation, args []any) (any, error) {
	s, _, err := texts("matches", args[:1])
	if err != nil {
		return nil, err
	}
	r, ok := args[1].(*regex)
	if !ok {
		return nil, &ruleFault{"a regular expression is computed", "Write it into the rule as a string."}
	}
	const free = 16
	if err := e.spend(len(s) * r.size / free); err != nil {
		return nil, err
	}
	return r.MatchString(s), nil
}

func reshape(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		s, _, err := texts(name, args)
		if err != nil {
			return nil, err
		}
		const free = 32
		if err := e.spend(len(s) / free); err != nil {
			return nil, err
		}
		ascii := func(low, high rune, by rune) string {
			return strings.Map(func(r rune) rune {
				if r >= low && r <= high {
					return r + by
				}
				return r
			}, s)
		}
		switch name {
		case "lowerAscii":
			return ascii('A', 'Z', 'a'-'A'), nil
		case "upperAscii":
			return ascii('a', 'z', 'A'-'a'), nil
		default:
			return strings.TrimSpace(s), nil
		}
	}
}

package schema

import (
	"time"

	"github.com/promptd/promptd/internal/value"
)

// eachNumber goes through the numbers of a list.
func eachNumber(e *evaluation, name string, x any, f func(i int, n exact) error) error {
	l, ok := x.(*array)
	if !ok {
		return &ruleFault{name + " is given " + kindName(x), "Give an array of numbers there."}
	}
	for i := range l.len() {
		n, ok := l.at(i).(exact)
		if !ok {
			return &ruleFault{name + " meets " + kindName(l.at(i)), "Give numbers only, or leave out the others with filter."}
		}
		if err := e.spend(1 + numberPrice); err != nil {
			return err
		}
		if err := f(i, n); err != nil {
			return err
		}
	}
	return nil
}

// aggregate is sum, min or max of a list. An empty list sums up to 0 and has no least or greatest number.
func aggregate(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		best, count := exactInt(0), 0
		err := eachNumber(e, name, args[0], func(i int, n exact) error {
			count++
			if err := e.spend(apart(best, n)); err != nil {
				return err
			}
			var err error
			switch {
			case name == "sum":
				best, err = best.add(n)
			case i == 0 || name == "min" && n.cmp(best) < 0 || name == "max" && n.cmp(best) > 0:
				best = n
			}
			return err
		})
		if err == nil && count == 0 && name != "sum" {
			err = &ruleFault{name + " is given an empty array", "Test the size first: size(list) > 0 && …"}
		}
		return best, err
	}
}

// unique reports whether all items of a list differ. Scalars are looked up, so that a long list of keys takes one step each.
func unique(e *evaluation, args []any) (any, error) {
	l, ok := args[0].(*array)
	if !ok {
		return nil, &ruleFault{"unique is given " + kindName(args[0]), "Give an array there."}
	}
	if err := e.spend(l.len()); err != nil {
		return nil, err
	}
	seen := make(map[any]struct{}, l.len())
	for i := range l.len() {
		key := l.at(i)
		switch x := key.(type) {
		case exact:
			key = "n" + x.String()
		case string:
			key = "s" + x
		case time.Time:
			key = "t" + x.UTC().Format(time.RFC3339Nano)
		case *array, record:
			for j := range i {
				if same, err := e.equal(x, l.at(j)); same || err != nil {
					return !same, err
				}
			}
			continue
		}
		if _, twice := seen[key]; twice {
			return false, nil
		}
		seen[key] = struct{}{}
	}
	return true, nil
}

// maxPlaces bounds the second argument of round.
const maxPlaces = 400

func rounded(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		x, ok := args[0].(exact)
		if !ok {
			return nil, &ruleFault{name + " is given " + kindName(args[0]), "Give a number there."}
		}
		n := 0
		if len(args) > 1 {
			places, ok := args[1].(exact)
			if ok {
				n, ok = places.index()
			}
			if !ok || n > maxPlaces || n < -maxPlaces {
				return nil, &ruleFault{"the decimal places of round are no small whole number", "Write round(x, 2)."}
			}
		}
		const base = 4
		return priced(e, base+x.words(), func() (exact, error) {
			switch name {
			case "abs":
				if x.sign() < 0 {
					return x.neg(), nil
				}
				return x, nil
			case "floor":
				return x.rounded(0, down)
			case "ceil":
				return x.rounded(0, up)
			case "trunc":
				return x.rounded(0, towardsZero)
			default:
				return x.rounded(n, halfAway)
			}
		})
	}
}

// toNumber reads a number out of a string; int cuts it to a whole one.
func toNumber(name string) function {
	return func(e *evaluation, args []any) (any, error) {
		x, ok := args[0].(exact)
		if s, isText := args[0].(string); isText {
			v, err := value.Number(s)
			if ok = err == nil; ok {
				x = exactOf(v)
			}
		}
		if !ok {
			return nil, &ruleFault{name + " is given " + kindName(args[0]) + " that is no number", "Give a number, or a string that holds one as JSON writes it."}
		}
		if name == "int" {
			return priced(e, 1+x.words(), func() (exact, error) { return x.rounded(0, towardsZero) })
		}
		return x, nil
	}
}

func toString(e *evaluation, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		return x, nil
	case bool:
		if x {
			return "true", nil
		}
		return "false", nil
	case exact:
		if err := e.spend(1 + 10*x.words()); err != nil {
			return nil, err
		}
		return x.String(), nil
	case time.Time:
		return x.Format(time.RFC3339Nano), nil
	case time.Duration:
		return x.String(), nil
	default:
		return nil, &ruleFault{kindName(x) + " is made a string", "Give a string, a number or a boolean there."}
	}
}

// toTime reads a moment (RFC 3339), a day (its midnight in UTC) or a span of time such as 1h30m.
func toTime(name string) function {
	return func(_ *evaluation, args []any) (any, error) {
		switch x := args[0].(type) {
		case time.Time:
			if name != "duration" {
				return x, nil
			}
		case time.Duration:
			if name == "duration" {
				return x, nil
			}
		case string:
			switch name {
			case "duration":
				if d, err := time.ParseDuration(x); err == nil {
					return d, nil
				}
			case "date":
				if t, err := time.Parse(time.DateOnly, x); err == nil {
					return t, nil
				}
			default:
				if t, err := time.Parse(time.RFC3339, x); err == nil {
					return t, nil
				}
			}
		}
		example := map[string]string{"timestamp": "2025-01-15T09:30:00Z", "date": "2025-01-15", "duration": "1h30m"}[name]
		return nil, &ruleFault{name + " is given what is no " + name, "Write it like " + example + "."}
	}
}

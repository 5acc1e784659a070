package schema

import "github.com/promptd/promptd/internal/value"

// None reports whether the place is the zero Place.
func (p Place) None() bool { return p.n == nil }

// StrictIntegers reports whether type "integer" means numbers that are written without a fraction, as draft 4 has it: 1.0 is none there.
func (p Place) StrictIntegers() bool { return p.n.strict }

// Not gives the subschema whose values the place excludes.
func (p Place) Not() (sub Place, ok bool) {
	for _, k := range p.n.every {
		if k, is := k.(*notKeyword); is {
			return Place{p.s, k.sub}, true
		}
	}
	return Place{}, false
}

// Conditional is an if with what it decides about; Then and Else are none where they do not stand.
type Conditional struct{ If, Then, Else Place }

// Conditional gives the place's if.
func (p Place) Conditional() (c Conditional, ok bool) {
	for _, k := range p.n.every {
		k, is := k.(*ifKeyword)
		if !is {
			continue
		}
		c.If = Place{p.s, k.cond}
		if k.then != nil {
			c.Then = Place{p.s, k.then}
		}
		if k.otherwise != nil {
			c.Else = Place{p.s, k.otherwise}
		}
		return c, true
	}
	return c, false
}

// Dependent is what the presence of a member demands: further members, or a schema of the whole object.
type Dependent struct {
	Keyword, Name string
	Required      []string
	// Sub is none where names alone are demanded.
	Sub Place
}

// Dependents gives dependentRequired, dependentSchemas and dependencies.
func (p Place) Dependents() (list []Dependent) {
	for _, k := range p.n.of[value.KindObject] {
		k, is := k.(*dependentKeyword)
		if !is {
			continue
		}
		for _, d := range k.list {
			one := Dependent{Keyword: d.keyword, Name: d.name, Required: d.required}
			if d.sub != nil {
				one.Sub = Place{p.s, d.sub}
			}
			list = append(list, one)
		}
	}
	return list
}

// Contained is contains with its counts; Max is negative where there is no bound.
type Contained struct {
	Sub      Place
	Min, Max int
}

// Contained gives the place's contains.
func (p Place) Contained() (c Contained, ok bool) {
	k := p.n.array
	if k == nil || k.contains == nil {
		return c, false
	}
	return Contained{Sub: Place{p.s, k.contains}, Min: k.minContains, Max: k.maxContains}, true
}

// Sizes gives the bounds on how many members an object and how many items an array has; a maximum is negative where there is none.
func (p Place) Sizes(k value.Kind) (least, most int) {
	switch {
	case k == value.KindObject && p.n.object != nil:
		return max(p.n.object.min, 0), p.n.object.max
	case k == value.KindArray && p.n.array != nil:
		return max(p.n.array.min, 0), p.n.array.max
	case k == value.KindString:
		least, most = 0, -1
		for _, one := range p.n.of[value.KindString] {
			if one, is := one.(*lengthKeyword); is {
				least, most = max(one.min, 0), one.max
			}
		}
		return least, most
	default:
		return 0, -1
	}
}

// Unique reports whether the items of an array must differ.
func (p Place) Unique() bool { return p.n.array != nil && p.n.array.unique }

// Limit is a bound of numbers.
type Limit struct {
	Keyword        string
	Bound          value.Decimal
	Exclusive, Low bool
}

// Limits gives the bounds of numbers, in any draft's spelling.
func (p Place) Limits() (list []Limit) {
	for _, k := range p.n.of[value.KindNumber] {
		if k, is := k.(*boundsKeyword); is {
			for _, l := range k.limits {
				list = append(list, Limit{Keyword: l.keyword, Bound: l.bound, Exclusive: l.exclusive, Low: l.low})
			}
		}
	}
	return list
}

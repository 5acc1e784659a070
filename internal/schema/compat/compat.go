package compat

import (
	"context"
	"fmt"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Mode is what a new version must keep.
type Mode string

// The modes.
const (
	// None asks for nothing.
	None Mode = "none"
	// Backward asks that what the old version allows is allowed by the new one: new readers read old values.
	Backward Mode = "backward"
	// Forward asks that what the new version allows is allowed by the old one: old readers read new values.
	Forward Mode = "forward"
	// Full asks for both.
	Full Mode = "full"
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{None, Backward, Forward, Full} }

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	for _, m := range Modes() {
		if string(m) == name {
			return m, nil
		}
	}
	return "", fmt.Errorf("unknown compatibility mode %.40q: it is one of none, backward, forward, full", name)
}

// Verdict is how sure a finding is.
type Verdict string

// The verdicts.
const (
	// Breaking is proven by the finding's witness.
	Breaking Verdict = "breaking"
	// Undecided means that neither inclusion nor a witness was found; it counts as breaking.
	Undecided Verdict = "undecided"
)

// Finding is one place at which a version is not compatible with the other.
type Finding struct {
	// Direction is Backward or Forward.
	Direction Mode `json:"direction"`
	// Verdict says whether it is proven.
	Verdict Verdict `json:"verdict"`
	// Instance is the place in values, as a JSON pointer in which * stands for any item or any member that is not named, and a pattern in
	// braces for members whose name matches it.
	Instance string `json:"instance"`
	// Old and New are the places in the two versions, as JSON pointers.
	Old string `json:"old"`
	New string `json:"new"`
	// Keyword is the keyword of the version that allows less.
	Keyword string `json:"keyword"`
	// Before and After are the keyword's values in the two versions, null where it does not stand.
	Before value.Value `json:"before"`
	After  value.Value `json:"after"`
	// Message says what was found.
	Message string `json:"message"`
	// Hint says what to do about it.
	Hint string `json:"hint"`
	// Witness is a whole value that one version allows and the other refuses; nil where none was found.
	Witness *value.Value `json:"witness,omitempty"`
}

// Report is what a comparison found. It is immutable.
type Report struct {
	Mode Mode `json:"mode"`
	// Compatible is set where everything that the mode asks for is proven.
	Compatible bool `json:"compatible"`
	// Findings stand in the order of the version that allows less.
	Findings []Finding `json:"findings"`
	// More counts the findings that were left out.
	More int `json:"more,omitempty"`
}

// maxFindings bounds the findings of one direction.
const maxFindings = 50

// Check compares two versions of a schema. A comparison that the context stops is not compatible.
func Check(ctx context.Context, old, now *schema.Schema, mode Mode) Report {
	r := Report{Mode: mode, Findings: []Finding{}}
	if old.Hash() != now.Hash() {
		if mode == Backward || mode == Full {
			r.add(compare(ctx, old, now, Backward))
		}
		if mode == Forward || mode == Full {
			r.add(compare(ctx, now, old, Forward))
		}
	}
	r.Compatible = len(r.Findings) == 0
	return r
}

// Decided says whether the comparison has found out: everything is proven, or a witness shows what breaks.
func (r *Report) Decided() bool {
	return r.Compatible || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == Breaking })
}

func (r *Report) add(list []Finding) {
	if most := maxFindings; len(list) > most {
		r.More += len(list) - most
		list = list[:most]
	}
	r.Findings = append(r.Findings, list...)
}

// compare looks for values of from that to refuses.
func compare(ctx context.Context, from, to *schema.Schema, direction Mode) []Finding {
	p := newProver(ctx)
	gaps := p.include(newGroup(from.Root()), to.Root(), &spot{})
	if len(gaps) == 0 && ctx.Err() != nil {
		gaps = []gap{{&spot{}, newGroup(from.Root()), to.Root(), "", spentAll}}
	}
	s := &sampler{ctx: ctx, from: from, to: to, p: p, left: maxSamples, pools: map[string][]value.Value{}}
	var list []Finding
	seen := map[string]bool{}
	for _, g := range gaps {
		f := g.finding(direction)
		key := f.Instance + "\x00" + f.Old + "\x00" + f.New + "\x00" + f.Keyword
		if seen[key] {
			continue
		}
		seen[key] = true
		if len(list) < maxFindings {
			if w, ok := s.witness(g); ok {
				f.Verdict, f.Witness = Breaking, &w
			}
		}
		list = append(list, f.worded(g.kind))
	}
	return list
}

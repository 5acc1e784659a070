package pipeline

import (
	"slices"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// plan is what is made once of a schema and a model: the lowered schema, the meta-prompt, and the shape that repair reads by.
type plan struct {
	lowered lowering.Lowered
	meta    prompt.MetaPrompt
	shape   repair.Shape
	bounded value.Value // the lowered schema with its generation caps
	capped  bool
}

// weigh estimates the memory that a plan holds, in bytes.
func (p *plan) weigh() uint32 {
	return uint32(min(p.lowered.Weight(), plansBytes)) //nolint:gosec // Bounded by a constant.
}

// sent is the schema that goes to the provider for an answer that is taken from these texts.
func (p *plan) sent(capped bool, source []string) value.Value {
	if capped {
		if s, ok := p.lowered.Extracting(source); ok {
			return s
		}
		return p.bounded
	}
	return p.lowered.Schema
}

// planKey names a plan. The model is a pointer into the pool's providers, so a reload begins with new plans.
type planKey struct {
	model  *provider.Model
	schema [32]byte
}

// Plans are kept up to a weight; each holds a lowered schema and its meta-prompt, some tens of kilobytes as a rule. What a provider has refused is small, and
// kept for so many schemas.
const (
	plansBytes  = 64 << 20
	mostRefused = 4096
)

// planner makes plans and remembers them, and remembers which modes a provider has refused for a schema.
type planner struct {
	demoting sync.Mutex // one change of what is refused at a time

	meta    *prompt.Writer
	plans   *otter.Cache[planKey, *plan]
	refused *otter.Cache[planKey, []lowering.Mode]
}

func newPlanner(meta *prompt.Writer) *planner {
	return &planner{
		meta:    meta,
		plans:   otter.Must(&otter.Options[planKey, *plan]{MaximumWeight: plansBytes, Weigher: func(_ planKey, p *plan) uint32 { return p.weigh() }}),
		refused: otter.Must(&otter.Options[planKey, []lowering.Mode]{MaximumSize: mostRefused}),
	}
}

// plan makes the plan of a schema, or of its form where there is one.
func (s *planner) plan(c provider.Candidate, sch *schema.Schema, form *missing.Form) (*plan, error) {
	if form != nil {
		sch = form.Schema()
	}
	k := planKey{c.Model, sch.Hash()}
	if p, ok := s.plans.GetIfPresent(k); ok {
		return p, nil
	}
	profile := c.Provider.Dialect().Profile(c.Model.Capability)
	if refused, ok := s.refused.GetIfPresent(k); ok {
		profile = profile.Without(refused...)
	}
	if modes := profile.Modes(); prompt.AnyObject(sch) && slices.Contains(modes, lowering.JSON) {
		// JSON mode says just that; a closed form would have to spell the members out as pairs.
		profile = profile.Only(modes[slices.Index(modes, lowering.JSON):]...)
	}
	p, err := s.make(c, sch, form, profile)
	if err != nil {
		return nil, err
	}
	s.plans.Set(k, p)
	return p, nil
}

// planIn makes the plan of a schema in one mode, for a reply that was asked for in it. It is not remembered: that it is wanted is seldom.
func (s *planner) planIn(c provider.Candidate, sch *schema.Schema, form *missing.Form, mode lowering.Mode) (*plan, error) {
	if form != nil {
		sch = form.Schema()
	}
	return s.make(c, sch, form, c.Provider.Dialect().Profile(c.Model.Capability).Only(mode))
}

// make makes a plan by a profile.
func (s *planner) make(c provider.Candidate, sch *schema.Schema, form *missing.Form, profile lowering.Profile) (*plan, error) {
	p := &plan{}
	var err error
	if form != nil {
		p.lowered = form.Lower(profile)
		p.meta, err = s.meta.WriteAsking(form, p.lowered, c.Model.Capability.Small)
	} else {
		p.lowered = lowering.Lower(sch, profile)
		p.meta, err = s.meta.Write(sch, p.lowered, c.Model.Capability.Small)
	}
	if err != nil {
		return nil, err
	}
	lowered := p.lowered
	p.bounded = lowered.Capped()
	p.capped = !value.Identical(p.bounded, lowered.Schema)
	p.shape = repair.ShapeOf(lowered.Schema) // What the model answers in: what is sent, or what it is shown.
	if lowered.Schema.IsNull() {
		p.shape = repair.ShapeOf(lowered.Shown)
	}
	return p, nil
}

// demote takes the mode that a provider refused for what was sent out of its plan; false where no mode is left. Of requests that were refused at the same time
// the first does it: the others go on with the plan that came of it.
func (s *planner) demote(c provider.Candidate, sch *schema.Schema, mode lowering.Mode) bool {
	if mode == lowering.Prompt {
		return false
	}
	k := planKey{c.Model, sch.Hash()}
	s.demoting.Lock()
	defer s.demoting.Unlock()
	refused, _ := s.refused.GetIfPresent(k)
	known := slices.Contains(refused, mode)
	if !known {
		s.refused.Set(k, append(slices.Clone(refused), mode))
	}
	// A plan that was begun before the refusal may be kept after it: whoever meets the mode again takes that one out.
	if p, ok := s.plans.GetIfPresent(k); !known || ok && p.lowered.Mode == mode {
		s.plans.Invalidate(k)
	}
	return true
}

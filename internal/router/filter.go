package router

import (
	"fmt"
	"slices"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

// Fit leaves out the candidates that can't answer a request whatever their health: those that the key may not use, that do not take images, or whose window is
// too small. The error says why the last of them was left out where none is left.
func Fit(q *Question, all []provider.Candidate) ([]provider.Candidate, error) {
	fit := make([]provider.Candidate, 0, len(all))
	var refused error
	for _, c := range all {
		if err := unfit(q, c); err != nil {
			refused = err
			continue
		}
		fit = append(fit, c)
	}
	if len(fit) == 0 {
		return nil, refused
	}
	return roomy(q, fit), nil
}

func unfit(q *Question, c provider.Candidate) error {
	able := &c.Model.Capability
	switch {
	case !q.Caller.MayUse(c.Provider.Name(), c.Model.Name):
		return fault.New(fault.Forbidden, "this key may not use %s", c.Name())
	case q.Caller.HasBudget() && !c.Model.Price.Known:
		f := fault.New(fault.Forbidden, "the price of %s is not known, and a budget holds this key or its team: what it would cost can't be reserved", c.Name())
		f.Remediation = "Name a model whose price is known as options.model; or the operator gives the model its price in the configuration."
		return f
	case q.Prompt.Images() > 0 && !able.Vision:
		return fault.Invalid("/messages", "vision", c.Name()+" does not take images", "Name a model that does as options.model, or send text alone.")
	case able.MaxOutput > 0 && q.Prompt.Options.MaxTokens > able.MaxOutput && q.Prompt.Options.Model != "":
		return fault.Invalid("/options/max_tokens", "range", fmt.Sprintf("max_tokens is %d; %s gives at most %d", q.Prompt.Options.MaxTokens, c.Name(), able.MaxOutput), "")
	default:
		return nil
	}
}

// roomy leaves out the models whose window does not hold the prompt by the estimate. Where it holds in none of them the largest is left: an estimate is no reason
// to refuse, and the service knows better.
func roomy(q *Question, fit []provider.Candidate) []provider.Candidate {
	bound := q.bytes()
	if !slices.ContainsFunc(fit, func(c provider.Candidate) bool { w := c.Model.Capability.Context; return w > 0 && w < bound }) {
		return fit
	}
	need := q.promptTokens()
	kept := make([]provider.Candidate, 0, len(fit))
	largest := fit[0]
	for _, c := range fit {
		window := c.Model.Capability.Context
		if window == 0 || window >= need {
			kept = append(kept, c)
		}
		if window > largest.Model.Capability.Context {
			largest = c
		}
	}
	if len(kept) == 0 {
		kept = append(kept, largest)
	}
	return kept
}

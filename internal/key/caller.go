package key

import (
	"strings"

	"github.com/promptd/promptd/internal/fault"
)

// Caller is what a request carries of the key that sent it. It is shared between requests: nobody changes it.
type Caller struct {
	Key    ID
	Name   string
	Team   TeamID
	Scopes Scopes
	// RateLimitPerHour is the key's own or the configured one; 0 means none.
	RateLimitPerHour int
	TokensPerMinute  int
	MaxConcurrency   int
	// PromptChars is 0 where limits.prompt_chars holds.
	PromptChars int
	// Models is empty where all are allowed.
	Models []string
	Budget *Budget
	// Together is what the team's keys may use together; nil where nobody has set anything for it.
	Together *Team
}

// Anyone is the caller where no keys are wanted (auth.mode none): the default team with every scope and no limit.
func Anyone() *Caller {
	return &Caller{Name: "anyone", Team: DefaultTeam, Scopes: AllScopes}
}

// Require is nil where the caller has the scope, and a FORBIDDEN fault that names it otherwise.
func (c *Caller) Require(s Scope) error {
	if c.Scopes.Has(s) {
		return nil
	}
	return fault.New(fault.Forbidden, "this key does not have the scope %s", s)
}

// HasBudget says whether what the caller's requests cost is held to a budget, its own or its team's.
func (c *Caller) HasBudget() bool {
	return c.Budget != nil || c.Together != nil && c.Together.Budget != nil
}

// Pays says whether calls of the caller are paid for: by a budget, or out of tokens per minute.
func (c *Caller) Pays() bool {
	return c.HasBudget() || c.TokensPerMinute > 0 || c.Together != nil && c.Together.TokensPerMinute > 0
}

// Counted says whether the caller's requests at the same time are limited.
func (c *Caller) Counted() bool {
	return c.MaxConcurrency > 0 || c.Together != nil && c.Together.MaxConcurrency > 0
}

// Reach gives the rows that the caller may see. Only an administrator sees other teams, and only where it is asked for.
func (c *Caller) Reach(allTeams bool) (Reach, error) {
	if !allTeams {
		return OfTeam(c.Team), nil
	}
	if err := c.Require(Admin); err != nil {
		return Reach{}, err
	}
	return AllTeams(), nil
}

// MayUse says whether the key allows the provider's model.
func (c *Caller) MayUse(provider, model string) bool {
	for _, allowed := range c.Models {
		if allowed == model {
			return true
		}
		if rest, ok := strings.CutPrefix(allowed, provider+"/"); ok && rest == model {
			return true
		}
	}
	return len(c.Models) == 0
}

package key

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// Team is what the keys of a team may use together, beside the limits of each. A team that nobody has set anything for has no limits.
type Team struct {
	Name TeamID `json:"name"`
	// The limits are 0 where there is none.
	RateLimitPerHour int `json:"rate_limit_per_hour"`
	TokensPerMinute  int `json:"tokens_per_minute"`
	MaxConcurrency   int `json:"max_concurrency"`
	// Budget is nil where there is none.
	Budget *Budget `json:"budget"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Check says what is wrong with a team that shall be kept, each fault with its pointer.
func (t Team) Check() error {
	var entries []fault.Entry
	if err := t.Name.Check(); err != nil {
		entries = append(entries, fault.Of(err).Entries...)
	}
	for _, limit := range []struct {
		field string
		n     int
	}{{"rate_limit_per_hour", t.RateLimitPerHour}, {"tokens_per_minute", t.TokensPerMinute}, {"max_concurrency", t.MaxConcurrency}} {
		if limit.n < 0 {
			entries = append(entries, fault.Entry{Pointer: "/" + limit.field, Rule: "minimum", Message: "a limit is not negative", Hint: "0 means no limit"})
		}
	}
	if !t.Budget.sound() {
		entries = append(entries, badBudget())
	}
	if len(entries) == 0 {
		return nil
	}
	f := fault.New(fault.InvalidRequest, "the team is not valid: %s", entries[0].Message)
	f.Entries = entries
	return f
}

// same says whether two states of a team allow the same.
func (t *Team) same(o *Team) bool {
	a, b := *t, *o
	a.Budget, b.Budget = nil, nil
	return a == b && (t.Budget == nil) == (o.Budget == nil) && (t.Budget == nil || *t.Budget == *o.Budget)
}

func badBudget() fault.Entry {
	return fault.Entry{
		Pointer: "/budget", Rule: "format", Message: "a budget has usd, from 0 to a billion, and a period of day or month", Hint: `for example {"usd": 10, "period": "day"}`,
	}
}

// TeamStore keeps teams. All methods can be called concurrently, end early with the context's error when it is cancelled, and read nothing outside the [Reach].
type TeamStore interface {
	// SetTeam keeps a team in place of what was there, but for the time of its creation. It moves the change counter of [Store] in the same transaction.
	SetTeam(ctx context.Context, t Team) (Team, error)
	// Team reads one; what nobody has set, or lies outside the reach, is NOT_FOUND.
	Team(ctx context.Context, reach Reach, name TeamID) (Team, error)
	// Teams reads teams by their names, those after a name. An empty next one ends.
	Teams(ctx context.Context, reach Reach, limit int, after Cursor) (list []Team, next Cursor, err error)
}

// TeamKeeper sets and reads teams. It is safe for concurrent use.
type TeamKeeper struct {
	// Store keeps the teams.
	Store TeamStore
	// Changed is called after a change, so that this process's [Verifier] sees it at once; nil where there is none.
	Changed func(context.Context)
	// Now is the clock; nil means the real one.
	Now func() time.Time
}

// Set puts a team's limits in place of those before.
func (k *TeamKeeper) Set(ctx context.Context, t Team) (Team, error) {
	if err := t.Check(); err != nil {
		return Team{}, err
	}
	now := time.Now
	if k.Now != nil {
		now = k.Now
	}
	t.UpdatedAt = storable(now())
	t.CreatedAt = t.UpdatedAt
	kept, err := k.Store.SetTeam(ctx, t)
	if err == nil && k.Changed != nil {
		k.Changed(context.WithoutCancel(ctx)) // It is made whatever comes of telling.
	}
	return kept, err
}

// Of reads one team.
func (k *TeamKeeper) Of(ctx context.Context, reach Reach, name TeamID) (Team, error) {
	return k.Store.Team(ctx, reach, name)
}

// List reads a page of teams; limit 0 means the default.
func (k *TeamKeeper) List(ctx context.Context, reach Reach, limit int, after Cursor) ([]Team, Cursor, error) {
	if limit == 0 {
		limit = DefaultPage
	}
	return k.Store.Teams(ctx, reach, limit, after)
}

// allTeams reads every team.
func allTeams(ctx context.Context, store TeamStore) (map[TeamID]*Team, error) {
	teams := map[TeamID]*Team{}
	if store == nil {
		return teams, nil
	}
	for after := Cursor(""); ; {
		list, next, err := store.Teams(ctx, AllTeams(), MaxPage, after)
		if err != nil {
			return nil, err
		}
		for i := range list {
			teams[list[i].Name] = &list[i]
		}
		if next == "" {
			return teams, nil
		}
		after = next
	}
}

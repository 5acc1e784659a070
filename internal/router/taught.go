package router

import (
	"cmp"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Taught is what a team's requests have taught of one schema.
type Taught struct {
	// Schema is how answers call it; two schemas may have one name.
	Schema string
	Models []TaughtModel
}

// TaughtModel is what was learned of it at one model.
type TaughtModel struct {
	Provider, Model string
	Figures
}

// Taught lists what a team's requests have taught, schema by schema, in the order of their names; models are in the order of theirs.
func (l *Learned) Taught(team key.TeamID, now time.Time) []Taught {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []Taught
	for k, of := range l.lessons {
		if k.team != team {
			continue
		}
		one := Taught{Schema: of.name}
		for m, f := range of.models {
			figures := *f
			figures.fade(now)
			one.Models = append(one.Models, TaughtModel{m.provider, m.model, figures})
		}
		slices.SortFunc(one.Models, func(a, b TaughtModel) int {
			return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
		})
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Taught) int { return cmp.Compare(a.Schema, b.Schema) })
	return list
}

package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

func teamContracts() []contract {
	return []contract{
		{"a team is kept as it was set", teamIsKept},
		{"a team is put in place of the one before", teamIsReplaced},
		{"teams are listed by name, page by page", teamsAreListed},
		{"a team outside the reach is not there", teamsAreApart},
		{"a change of a team moves the counter of keys", teamsMoveTheCounter},
		{"an ended context changes nothing", teamsOnEndedContexts},
	}
}

func sampleTeam(name key.TeamID, at time.Time) key.Team {
	return key.Team{
		Name: name, RateLimitPerHour: 100, TokensPerMinute: 2000, MaxConcurrency: 3, Budget: &key.Budget{Limit: 5_000_000_001, Period: key.Daily}, CreatedAt: at, UpdatedAt: at,
	}
}

func teamIsKept(t *testing.T, s Stores, clock *Clock) {
	for _, want := range []key.Team{sampleTeam("acme", clock.Now().UTC()), {Name: "bare", CreatedAt: clock.Now().UTC(), UpdatedAt: clock.Now().UTC()}} {
		set, err := s.Teams.SetTeam(t.Context(), want)
		must(t, err)
		got, err := s.Teams.Team(t.Context(), key.OfTeam(want.Name), want.Name)
		must(t, err)
		if diff := cmp.Diff([]key.Team{want, want}, []key.Team{set, got}); diff != "" {
			t.Errorf("the team differs (-want +got):\n%s", diff)
		}
	}
}

func teamIsReplaced(t *testing.T, s Stores, clock *Clock) {
	begun := clock.Now().UTC()
	_, err := s.Teams.SetTeam(t.Context(), sampleTeam("acme", begun))
	must(t, err)
	later := begun.Add(time.Hour)
	got, err := s.Teams.SetTeam(t.Context(), key.Team{Name: "acme", MaxConcurrency: 1, CreatedAt: later, UpdatedAt: later})
	must(t, err)
	if diff := cmp.Diff(key.Team{Name: "acme", MaxConcurrency: 1, CreatedAt: begun, UpdatedAt: later}, got); diff != "" {
		t.Errorf("the team differs (-want +got):\n%s", diff)
	}
}

func teamsAreListed(t *testing.T, s Stores, clock *Clock) {
	for _, name := range []key.TeamID{"c", "a", "d", "b"} {
		_, err := s.Teams.SetTeam(t.Context(), sampleTeam(name, clock.Now().UTC()))
		must(t, err)
	}
	var names []key.TeamID
	pages := 0
	for after := key.Cursor(""); ; pages++ {
		list, next, err := s.Teams.Teams(t.Context(), key.AllTeams(), 3, after)
		must(t, err)
		for _, one := range list {
			names = append(names, one.Name)
		}
		if next == "" {
			break
		}
		after = next
	}
	if diff := cmp.Diff([]key.TeamID{"a", "b", "c", "d"}, names); diff != "" || pages != 1 {
		t.Errorf("got %v in %d pages, want a to d in two", names, pages+1)
	}
	list, next, err := s.Teams.Teams(t.Context(), key.OfTeam("b"), 3, "")
	must(t, err)
	if len(list) != 1 || list[0].Name != "b" || next != "" {
		t.Errorf("one team's list: got %+v, %q, want b alone", list, next)
	}
}

func teamsAreApart(t *testing.T, s Stores, clock *Clock) {
	_, err := s.Teams.SetTeam(t.Context(), sampleTeam("acme", clock.Now().UTC()))
	must(t, err)
	for _, reach := range []key.Reach{{}, key.OfTeam("beta")} {
		_, err := s.Teams.Team(t.Context(), reach, "acme")
		wantCode(t, "a team outside the reach", err, fault.NotFound)
		if list, _, err := s.Teams.Teams(t.Context(), reach, 10, ""); err != nil || list == nil || len(list) != 0 {
			t.Errorf("a list outside the reach: got %v, %v, want an empty one", list, err)
		}
	}
	for _, name := range append(strange(), "nobody") {
		_, err := s.Teams.Team(t.Context(), key.AllTeams(), key.TeamID(name))
		wantCode(t, "the team "+name, err, fault.NotFound)
	}
}

func teamsMoveTheCounter(t *testing.T, s Stores, clock *Clock) {
	_, before, err := s.Keys.Changes(t.Context(), -1)
	must(t, err)
	_, err = s.Teams.SetTeam(t.Context(), sampleTeam("acme", clock.Now().UTC()))
	must(t, err)
	if _, now, err := s.Keys.Changes(t.Context(), before); err != nil || now <= before {
		t.Errorf("the counter went from %d to %d, %v, want it to move", before, now, err)
	}
}

func teamsOnEndedContexts(t *testing.T, s Stores, clock *Clock) {
	_, err := s.Teams.SetTeam(cancelled(), sampleTeam("acme", clock.Now().UTC()))
	wantCancelled(t, "SetTeam", err)
	_, err = s.Teams.Team(cancelled(), key.AllTeams(), "acme")
	wantCancelled(t, "Team", err)
	_, err = s.Teams.Team(t.Context(), key.AllTeams(), "acme")
	wantCode(t, "a team that was not set", err, fault.NotFound)
}

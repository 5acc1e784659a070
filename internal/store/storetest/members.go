package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/member"
)

func memberContracts() []contract {
	return []contract{
		{"a member is kept as it says it is", memberKept},
		{"a member that is not seen is forgotten", memberForgotten},
		{"a member that leaves is forgotten at once", memberLeaves},
		{"many members beat at once", memberRace},
		{"members that take each other for dead do not wait for each other", memberReturn},
		{"a cancelled call of members changes nothing", memberCancelled},
	}
}

const memberFor = 9 * time.Second

func sampleMember(id string) member.Member {
	return member.Member{ID: id, Host: "host of " + id, Roles: []string{"api", "worker"}, Version: "1.2.3"}
}

func beat(t *testing.T, s Stores, m member.Member) []member.Member {
	t.Helper()
	list, err := s.Members.Beat(t.Context(), m, memberFor)
	must(t, err)
	return list
}

func wantMembers(t *testing.T, s Stores, want ...member.Member) {
	t.Helper()
	got, err := s.Members.Members(t.Context(), memberFor)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the members differ (-want +got):\n%s", diff)
	}
}

func memberKept(t *testing.T, s Stores, clock *Clock) {
	wantMembers(t, s)
	var all []member.Member
	for _, text := range strange() {
		m := sampleMember(text)
		m.Host, m.Version, m.Roles = text, text, nil
		m.StartedAt, m.SeenAt = clock.Now().UTC(), clock.Now().UTC()
		all = append(all, m)
		if diff := cmp.Diff(all, beat(t, s, m)); diff != "" {
			t.Errorf("what a beat gives differs (-want +got):\n%s", diff)
		}
		clock.Advance(time.Millisecond)
	}
	all[0].Roles, all[0].Version, all[0].Host, all[0].SeenAt = []string{"api", "worker"}, "2", "h", clock.Now().UTC()
	again := all[0]
	again.StartedAt = time.Time{}
	beat(t, s, again)
	wantMembers(t, s, all...)
}

func memberForgotten(t *testing.T, s Stores, clock *Clock) {
	beat(t, s, sampleMember("gone"))
	clock.Advance(memberFor - time.Microsecond)
	if list := beat(t, s, sampleMember("here")); len(list) != 2 {
		t.Errorf("got %v, want both a moment before one is forgotten", list)
	}
	clock.Advance(time.Microsecond)
	if list := beat(t, s, sampleMember("here")); len(list) != 1 || list[0].ID != "here" {
		t.Errorf("got %v, want the one that is here", list)
	}
	started := clock.Now().UTC()
	if list := beat(t, s, sampleMember("gone")); len(list) != 2 || list[1].StartedAt != started {
		t.Errorf("got %v, want that one who comes back begins anew", list)
	}
	clock.Advance(time.Minute)
	wantMembers(t, s)
}

func memberLeaves(t *testing.T, s Stores, clock *Clock) {
	beat(t, s, sampleMember("a"))
	must(t, s.Members.Leave(t.Context(), "a"))
	must(t, s.Members.Leave(t.Context(), "a"))
	m := sampleMember("b")
	m.StartedAt, m.SeenAt = clock.Now().UTC(), clock.Now().UTC()
	if diff := cmp.Diff([]member.Member{m}, beat(t, s, m)); diff != "" {
		t.Errorf("the members differ (-want +got):\n%s", diff)
	}
}

func memberRace(t *testing.T, s Stores, _ *Clock) {
	const processes = 16
	must(t, together(processes, func(i int) error {
		for range 10 {
			if _, err := s.Members.Beat(t.Context(), sampleMember(fmt.Sprint(i)), memberFor); err != nil {
				return err
			}
		}
		return nil
	}))
	if list := beat(t, s, sampleMember("0")); len(list) != processes {
		t.Errorf("got %d members, want %d", len(list), processes)
	}
}

// memberReturn lets everybody come back at once after an outage in which nobody was seen.
func memberReturn(t *testing.T, s Stores, clock *Clock) {
	const processes = 8
	for round := range 5 {
		clock.Advance(time.Hour)
		must(t, together(processes, func(i int) error {
			_, err := s.Members.Beat(t.Context(), sampleMember(fmt.Sprint(i)), memberFor)
			return err
		}))
		must(t, together(processes, func(i int) error {
			list, err := s.Members.Beat(t.Context(), sampleMember(fmt.Sprint(i)), memberFor)
			if err == nil && len(list) != processes {
				err = fmt.Errorf("round %d: %d members, want %d", round, len(list), processes)
			}
			return err
		}))
	}
}

func memberCancelled(t *testing.T, s Stores, _ *Clock) {
	_, err := s.Members.Beat(cancelled(), sampleMember("a"), memberFor)
	wantCancelled(t, "Beat", err)
	wantCancelled(t, "Leave", s.Members.Leave(cancelled(), "a"))
	_, err = s.Members.Members(cancelled(), memberFor)
	wantCancelled(t, "Members", err)
	wantMembers(t, s)
}

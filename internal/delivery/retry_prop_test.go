package delivery

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/key"
)

// Whatever chance and targets say, the waits of a message add up to exactly the time that it is tried, each within its ceiling, and end.
func TestTheScheduleFillsItsTimeAndEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		age := time.Duration(rapid.Int64Range(int64(time.Minute), int64(720*time.Hour)).Draw(t, "max age"))
		passed := time.Duration(0)
		for tries := 1; ; tries++ {
			chance := rapid.Float64Range(0, 1).Draw(t, "chance")
			asked := time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "asked"))
			if rapid.Bool().Draw(t, "asks nothing") {
				asked = 0
			}
			d, more := wait(tries, chance, asked, age-passed)
			if !more {
				if passed != age {
					t.Fatalf("it ends after %v of %v", passed, age)
				}
				return
			}
			if most := max(ceilingOf(tries), min(asked, retryCeiling)); d < 0 || d > most || d > age-passed {
				t.Fatalf("the wait after %d tries is %v, want at most %v", tries, d, most)
			}
			passed += d
			if tries > 50 { // From here on chance is kept from being small for ever: what follows is the longest schedule.
				passed += time.Duration(0.5 * float64(retryCeiling))
				passed = min(passed, age)
			}
			if tries > 2000 {
				t.Fatal("the schedule does not end")
			}
		}
	})
}

func TestCeilingsDoubleUpToTheLast(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for tries := range 100 {
		c := ceilingOf(tries)
		if c < last || c > retryCeiling || tries == 1 && c != retryBase || tries > 1 && c != 2*last && c != retryCeiling {
			t.Errorf("after %d tries the ceiling is %v, before it was %v", tries, c, last)
		}
		last = c
	}
	if last != retryCeiling || ceilingOf(1<<62) != retryCeiling || ceilingOf(-1) != retryBase {
		t.Errorf("the last ceiling is %v", last)
	}
}

func TestABreakerOpensProbesAndCloses(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	h := newHosts(8, func() time.Time { return now })
	fail := func() bool { h.begin("a"); return h.end("a", dead) }
	room := func(want int) {
		t.Helper()
		if got := h.room("a"); got != want {
			t.Errorf("there is room for %d, want %d", got, want)
		}
	}
	room(8)
	h.begin("a")
	room(7)
	h.end("a", unclear)
	room(8)
	for range openAfter - 1 {
		if fail() {
			t.Error("it opened early")
		}
		room(1)
	}
	h.begin("a")
	room(0) // One at a time, once it has failed.
	if !h.end("a", dead) {
		t.Error("it did not open")
	}
	open := openFor
	for range 10 {
		room(0)
		now = now.Add(open - 1)
		room(0)
		now = now.Add(1)
		room(1)
		fail()
		open = min(2*open, openAtMost)
	}
	now = now.Add(open)
	h.begin("a")
	h.end("a", alive)
	room(8)
	if len(h.known) != 0 {
		t.Errorf("a host at rest that is well is remembered: %v", h.known)
	}
}

func TestHostsAreForgottenWhereThereAreTooMany(t *testing.T) {
	t.Parallel()
	h := newHosts(1, time.Now)
	h.begin("busy")
	for i := range mostHosts + 100 {
		name := time.Duration(i).String()
		h.begin(name)
		h.end(name, dead)
	}
	if len(h.known) > mostHosts || h.known["busy"] == nil {
		t.Errorf("%d hosts are known, the busy one too: %v", len(h.known), h.known["busy"] != nil)
	}
}

func TestWorkersAreDividedAmongLanes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hosts := []string{"a", "b", "c"}
		rooms := map[string]int{}
		for _, h := range hosts {
			rooms[h] = rapid.IntRange(0, 10).Draw(t, "room of "+h)
		}
		var lanes []Lane
		busy := map[key.TeamID]int{}
		for _, team := range []string{"t1", "t2", "t3", "t4"} {
			busy[key.TeamID(team)] = rapid.IntRange(0, 40).Draw(t, team)
			for _, h := range hosts {
				if rapid.Bool().Draw(t, team+h) {
					lanes = append(lanes, Lane{Team: key.TeamID(team), Host: h})
				}
			}
		}
		free := rapid.IntRange(1, 40).Draw(t, "free")
		shares := allot(lanes, free, func(h string) int { return rooms[h] }, maps.Clone(busy))
		got := map[Lane]int{}
		for _, s := range shares {
			if s.Most < 1 {
				t.Fatalf("a share of %d", s.Most)
			}
			got[s.Lane] = s.Most
			rooms[s.Lane.Host] -= s.Most
			busy[s.Lane.Team] += s.Most
			free -= s.Most
		}
		if free < 0 {
			t.Fatalf("%d more workers were given than are free", -free)
		}
		least, most := map[string]int{}, map[string]int{}
		for _, l := range lanes {
			if rooms[l.Host] < 0 {
				t.Fatalf("%s got %d more than it has room for", l.Host, -rooms[l.Host])
			}
			if busy[l.Team] >= teamShare*free {
				continue // It may have been refused for that.
			}
			if rooms[l.Host] > 0 {
				t.Fatalf("%v got %d, with %d workers free and %d under way for its team", l, got[l], free, busy[l.Team])
			}
			if n, known := least[l.Host]; !known || got[l] < n {
				least[l.Host] = got[l]
			}
			if most[l.Host] = max(most[l.Host], got[l]); most[l.Host]-least[l.Host] > 1 {
				t.Fatalf("lanes of %s got %d and %d", l.Host, least[l.Host], most[l.Host])
			}
		}
	})
}

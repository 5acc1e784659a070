package delivery

import (
	"testing"
	"time"

	"pgregory.net/rapid"
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
		for _, team := range []string{"t1", "t2", "t3", "t4"} {
			for _, h := range hosts {
				if rapid.Bool().Draw(t, team+h) {
					lanes = append(lanes, Lane{Team: "x", Host: h})
				}
			}
		}
		free := rapid.IntRange(1, 40).Draw(t, "free")
		shares := allot(lanes, free, func(h string) int { return rooms[h] })
		used, sum := map[string]int{}, 0
		least, most := map[string]int{}, map[string]int{}
		for _, s := range shares {
			if s.Most < 1 {
				t.Fatalf("a share of %d", s.Most)
			}
			used[s.Lane.Host] += s.Most
			sum += s.Most
			h := s.Lane.Host
			if least[h] == 0 || s.Most < least[h] {
				least[h] = s.Most
			}
			most[h] = max(most[h], s.Most)
		}
		possible := 0
		asked := map[string]bool{}
		for _, l := range lanes {
			asked[l.Host] = true
		}
		for h := range asked {
			possible += rooms[h]
			if used[h] > rooms[h] {
				t.Fatalf("%s got %d of %d", h, used[h], rooms[h])
			}
			if most[h]-least[h] > 1 {
				t.Fatalf("lanes of one host got %d and %d", least[h], most[h])
			}
		}
		if want := min(free, possible); sum != want {
			t.Fatalf("%d of %d workers were given, want %d", sum, free, want)
		}
	})
}

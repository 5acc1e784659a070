package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The faults of processes and servers, beside those of the network to a server.
const (
	killed    = "kill"    // SIGKILL, and started again.
	paused    = "pause"   // SIGSTOP, and SIGCONT.
	restarted = "restart" // In order.
)

// step is one fault: what happens, to which of several, how long the pause before it is, and how long it lasts.
type step struct {
	after time.Duration
	what  string
	which int
	lasts time.Duration
}

// lane is what happens to one kind of process or server, one step behind the other. Lanes go on side by side.
type lane struct {
	of    string
	steps []step
}

// size says how often each fault happens.
type size struct {
	kills, pauses, restarts, cuts, delays int
	// gap is the longest pause between two steps.
	gap time.Duration
}

// plan makes a schedule. It depends on the seed and the size alone.
func plan(seed uint64, s size, apis, workers int) []lane {
	var lanes []lane
	for i, of := range []string{"api", "worker", postgres, redis, rabbitmq} {
		r := rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // It is to be the same each time.
		l := lane{of: of}
		add := func(n int, what string, least, most time.Duration) {
			for range n {
				one := step{what: what, lasts: least + rand32(r, most-least), after: s.gap/4 + rand32(r, s.gap*3/4)}
				switch of {
				case "api":
					one.which = r.IntN(apis)
				case "worker":
					one.which = r.IntN(workers)
				}
				l.steps = append(l.steps, one)
			}
		}
		add(s.kills, killed, 0, 2*time.Second)
		add(s.pauses, paused, time.Second, 6*time.Second) // Longer and shorter than a lease.
		add(s.restarts, restarted, 0, time.Second)
		if of != "api" && of != "worker" {
			add(s.cuts, cutOff, 200*time.Millisecond, 5*time.Second)
			add(s.cuts, silent, 200*time.Millisecond, 8*time.Second)
			add(s.delays, delayed, time.Second, 5*time.Second)
			add(s.delays, narrowed, time.Second, 5*time.Second)
		}
		r.Shuffle(len(l.steps), func(a, b int) { l.steps[a], l.steps[b] = l.steps[b], l.steps[a] })
		lanes = append(lanes, l)
	}
	return lanes
}

func rand32(r *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(max(below, 1)))).Round(time.Millisecond)
}

// String writes a lane on one line.
func (l lane) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", l.of)
	for _, s := range l.steps {
		fmt.Fprintf(&b, " +%.1fs %s", s.after.Seconds(), s.what)
		if l.of == "api" || l.of == "worker" {
			fmt.Fprintf(&b, "(%d)", s.which+1)
		}
		fmt.Fprintf(&b, " %.1fs;", s.lasts.Seconds())
	}
	return b.String()
}

// nominal is how long a lane takes where everything starts at once; RabbitMQ takes some twenty seconds for each start.
func (l lane) nominal() time.Duration {
	var d time.Duration
	for _, s := range l.steps {
		d += s.after + s.lasts + time.Second
		if l.of == rabbitmq && (s.what == killed || s.what == restarted) {
			d += 20 * time.Second
		}
	}
	return d
}

package shelf

import (
	"context"
	"fmt"
	"sync"

	"github.com/promptd/promptd/internal/key"
)

// line lets one publisher of a name at a time through, so that those of this process wait for each other instead of comparing the same versions again and
// again. Publishers in other processes are told apart by the name's revision.
type line struct {
	mu *sync.Mutex

	turns map[reference]*turn
}

// turn is a name's: a token in a channel of one place, and how many want it.
type turn struct {
	token chan struct{}
	users int
}

func newLine() line { return line{mu: &sync.Mutex{}, turns: map[reference]*turn{}} }

// wait gives the turn for a name; the caller gives it back with done. Waiting ends with the context.
func (l line) wait(ctx context.Context, team key.TeamID, name string) (done func(), err error) {
	at := reference{team, name}
	l.mu.Lock()
	t := l.turns[at]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)} // One place: who fills it has the turn.
		l.turns[at] = t
	}
	t.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.turns, at)
		}
	}
	select {
	case t.token <- struct{}{}:
		return func() { <-t.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("wait for other publishers of the name: %w", ctx.Err())
	}
}

package app

import (
	"log/slog"
	"sync"
	"time"
)

// sayAgain is how often trouble that stays the same is logged. A store that hangs makes an error a second for each part that needs it.
const sayAgain = time.Minute

// complaint is trouble of one kind.
type complaint struct {
	mu     sync.Mutex
	said   string // the error that was logged last
	at     time.Time
	unsaid int // how often it came since
}

// heard says whether an error is to be logged, and how many like it were not since the last.
func (c *complaint) heard(err error, now time.Time) (unsaid int, say bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := err.Error()
	if text == c.said && now.Sub(c.at) < sayAgain {
		c.unsaid++
		return 0, false
	}
	unsaid = c.unsaid
	c.said, c.at, c.unsaid = text, now, 0
	return unsaid, true
}

// complain gives a function that logs an error: at once where it is another than the last, and one that stays the same once a minute, with how often it came.
func (a *App) complain(what string) func(error) {
	var c complaint
	return func(err error) {
		unsaid, say := c.heard(err, time.Now())
		switch {
		case !say:
		case unsaid > 0:
			a.log.Error(what, slog.Any("error", err), slog.Int("unsaid_before", unsaid))
		default:
			a.log.Error(what, slog.Any("error", err))
		}
	}
}

package boardtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// ErrAway is what a Memory says that is cut off.
var ErrAway = errors.New("the board is away")

// Memory is a board inside one process, which can be cut off. The zero Memory is an empty board; it tells the time by time.Now.
type Memory struct {
	mu sync.Mutex

	away    bool
	notices map[string]timed[provider.Notice]
	leaves  map[string]timed[string]
}

// timed is something that goes by itself.
type timed[T any] struct {
	what  T
	until time.Time
}

// Cut cuts the board off, or lets it answer again.
func (m *Memory) Cut(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *Memory) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.away {
		return ErrAway
	}
	if m.notices == nil {
		m.notices, m.leaves = map[string]timed[provider.Notice]{}, map[string]timed[string]{}
	}
	return nil
}

// Exchange puts up a notice and gives those of the others.
func (m *Memory) Exchange(ctx context.Context, mine provider.Notice) ([]provider.Notice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	m.notices[mine.From] = timed[provider.Notice]{mine, now.Add(provider.BoardFor)}
	var others []provider.Notice
	for from, n := range m.notices {
		switch {
		case !now.Before(n.until):
			delete(m.notices, from)
		case from != mine.From:
			others = append(others, n.what)
		}
	}
	return others, nil
}

// Claim gives a leave to one process at a time.
func (m *Memory) Claim(ctx context.Context, what, who string, d time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return false, err
	}
	now := time.Now()
	if l, ok := m.leaves[what]; ok && l.what != who && now.Before(l.until) {
		return false, nil
	}
	m.leaves[what] = timed[string]{who, now.Add(d)}
	return true, nil
}

// Release gives a leave back.
func (m *Memory) Release(ctx context.Context, what, who string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return err
	}
	if m.leaves[what].what == who {
		delete(m.leaves, what)
	}
	return nil
}

var _ provider.Board = (*Memory)(nil)

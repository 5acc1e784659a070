package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Do runs one command. Build makes it, and is not called where the server is not asked.
func (c *Client) Do(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) rueidis.RedisResult {
	conn, err := c.begin(ctx)
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	limit := c.limit()
	within, cancel := context.WithTimeout(ctx, limit)
	begun := time.Now()
	result := conn.Do(within, build(conn.B()))
	cancel()
	if err := c.end(ctx, begun, limit, result.Error()); err != nil {
		return rueidis.NewErrorResult(err)
	}
	return result
}

// DoMulti runs several commands in one round trip to each server that they concern.
func (c *Client) DoMulti(ctx context.Context, build func(rueidis.Builder) []rueidis.Completed) ([]rueidis.RedisResult, error) {
	conn, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	limit := c.limit()
	within, cancel := context.WithTimeout(ctx, limit)
	begun := time.Now()
	results := conn.DoMulti(within, build(conn.B())...)
	cancel()
	worst := error(nil)
	for _, r := range results {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) && (worst == nil || unavailable(err)) {
			worst = err
		}
	}
	if err := c.end(ctx, begun, limit, worst); err != nil && (errors.Is(err, ErrAway) || ctx.Err() != nil) {
		return nil, err
	}
	return results, nil
}

// Script is a Lua script that runs on the server, by the hash of its text once the server has it.
type Script struct{ lua *rueidis.Lua }

// NewScript makes a script that may write.
func NewScript(text string) *Script { return &Script{rueidis.NewLuaScript(text)} }

// NewReadScript makes a script that only reads.
func NewReadScript(text string) *Script { return &Script{rueidis.NewLuaScriptReadOnly(text)} }

// Run runs a script in one round trip, two where the server does not have it yet. All keys lie in one slot: their names are of [Client.Key] with one slot.
func (c *Client) Run(ctx context.Context, s *Script, keys, args []string) rueidis.RedisResult {
	conn, err := c.begin(ctx)
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	limit := c.limit()
	within, cancel := context.WithTimeout(ctx, limit)
	begun := time.Now()
	result := s.lua.Exec(within, conn, keys, args)
	cancel()
	if err := c.end(ctx, begun, limit, result.Error()); err != nil {
		return rueidis.NewErrorResult(err)
	}
	return result
}

// begin lets a call through, or says at once why not.
func (c *Client) begin(ctx context.Context) (rueidis.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !c.breaker.ready.Load() {
		c.figures.refused.Add(1)
		return nil, ErrAway
	}
	if c.inFlight.Add(1) > mostInFlight {
		c.inFlight.Add(-1)
		c.figures.refused.Add(1)
		return nil, fmt.Errorf("%w: %d calls wait for an answer already", ErrAway, mostInFlight)
	}
	return *c.conn.Load(), nil
}

// limit is how long a call may take: the whole timeout, and half as long after each failure in a row, so that a request that makes several calls loses less
// than two timeouts to a server that has just gone away.
func (c *Client) limit() time.Duration { return c.timeout >> min(c.breaker.streak.Load(), mostStreak) }

// end judges how a call went, and gives the error that its caller sees. The server's answer that there is nothing is no error here.
func (c *Client) end(ctx context.Context, begun time.Time, limit time.Duration, err error) error {
	c.inFlight.Add(-1)
	c.figures.calls.Add(1)
	if err == nil || rueidis.IsRedisNil(err) {
		c.breaker.succeeded()
		return nil
	}
	if !unavailable(err) {
		c.breaker.succeeded()
		return err
	}
	if gone := ended(ctx); gone != nil {
		// The caller went away, which says nothing of the server; unless the server had time enough.
		if errors.Is(gone, context.DeadlineExceeded) && time.Since(begun) >= limit/2 {
			c.failed()
		}
		return gone
	}
	c.failed()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer within %s", ErrAway, limit)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

func (c *Client) failed() {
	c.figures.failures.Add(1)
	if c.breaker.failed() {
		c.breaker.wake()
	}
}

// ended gives the error of the caller's own context. Its deadline may have passed a moment before its error is set.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return nil
}

// unavailable tells errors that say that the server can't work from those that it gives to a command.
func unavailable(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	if !ok {
		return !rueidis.IsRedisNil(err)
	}
	kind, _, _ := strings.Cut(refused.Error(), " ")
	switch kind {
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "BUSY", "NOAUTH", "WRONGPASS":
		return true
	}
	return false
}

// figures count calls since the client was opened.
type figures struct{ calls, failures, refused, openings atomic.Uint64 }

// Figures are the counts of a client's calls.
type Figures struct {
	// Calls were sent; Failures of them had no answer in time or one that says that the server can't work.
	Calls, Failures uint64
	// Refused were not sent, since the server was away.
	Refused uint64
	// Outages is how often the server went away.
	Outages uint64
	// InFlight wait for an answer now.
	InFlight int64
}

// Figures gives the counts since the client was opened.
func (c *Client) Figures() Figures {
	return Figures{
		Calls: c.figures.calls.Load(), Failures: c.figures.failures.Load(), Refused: c.figures.refused.Load(),
		Outages: c.figures.openings.Load(), InFlight: c.inFlight.Load(),
	}
}

// Package redis is the board on which processes tell each other how they find the providers, kept in Redis.
//
// It is not for what must not be lost: notices go by themselves after [provider.BoardFor], and while Redis is away each process goes by what it finds itself. The main
// type is [Board]. All notices lie in one hash, so that one round trip tells and hears; lives are counted by the server's clock.
package redis

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/redis"
)

// The scripts. Each says in its text what it takes and what it answers.
var (
	//go:embed script/exchange.lua
	exchangeLua string
	//go:embed script/claim.lua
	claimLua string
	//go:embed script/release.lua
	releaseLua string
)

// mostNotice bounds the bytes of a notice. One of an account in trouble with ten models has about a thousand.
const mostNotice = 256 << 10

// Board is the board.
type Board struct {
	client                   *redis.Client
	exchange, claim, release *redis.Script
}

// New makes a board.
func New(c *redis.Client) *Board {
	return &Board{c, redis.NewScript(exchangeLua), redis.NewScript(claimLua), redis.NewScript(releaseLua)}
}

// Exchange puts up a notice and gives those of the others; see provider.Board. Notices that are not understood, such as those of another release, are left out.
func (b *Board) Exchange(ctx context.Context, mine provider.Notice) ([]provider.Notice, error) {
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("write a notice: %w", err)
	}
	if len(text) > mostNotice {
		return nil, fmt.Errorf("a notice has %d bytes, at most %d are put up", len(text), mostNotice)
	}
	list, err := b.client.Run(ctx, b.exchange, []string{b.client.Key("board")}, []string{mine.From, string(text), millis(provider.BoardFor)}).AsStrSlice()
	if err != nil {
		return nil, err
	}
	others := make([]provider.Notice, 0, len(list))
	for _, text := range list {
		var n provider.Notice
		if json.Unmarshal([]byte(text), &n) == nil && n.From != "" {
			others = append(others, n)
		}
	}
	return others, nil
}

// Claim gives a leave to one process at a time; see provider.Board.
func (b *Board) Claim(ctx context.Context, what, who string, d time.Duration) (bool, error) {
	n, err := b.client.Run(ctx, b.claim, []string{b.client.Key(what, "probe")}, []string{who, millis(d)}).AsInt64()
	return n == 1, err
}

// Release gives a leave back; see provider.Board.
func (b *Board) Release(ctx context.Context, what, who string) error {
	return b.client.Run(ctx, b.release, []string{b.client.Key(what, "probe")}, []string{who}).Error()
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

var _ provider.Board = (*Board)(nil)

// Package key holds API keys: what a key is, how its secret looks, and how a request's bearer token becomes a [Caller].
//
// It is not for limits (package limit counts them), nor for storage: [Store] is declared here and implemented by the stores.
//
// The main type is [Key]. An [Issuer] makes, rotates and revokes keys; the secret is returned once and only its SHA-256 is
// stored. A [Verifier] answers on the hot path from an immutable snapshot in memory, without SQL, locks or allocation. Its owner
// goroutine polls the store's change counter, so that a key revoked by any process is refused here within a second.
// Everything that belongs to a team is read through a [Reach], so that no read forgets its team.
package key

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
)

// ID names a key; ids sort by the time of creation.
type ID string

// TeamID names a team: 1 to 64 letters, digits, dots, dashes and underscores.
type TeamID string

// DefaultTeam is the team of a key that was made without one, and of requests where no keys are wanted.
const DefaultTeam TeamID = "default"

// The bounds of a key's texts.
const (
	maxTeam   = 64
	maxName   = 200
	maxModels = 100
	maxModel  = 200
)

// Check says whether the name of the team can be used.
func (t TeamID) Check() error {
	ok := len(t) >= 1 && len(t) <= maxTeam
	for _, c := range []byte(t) {
		ok = ok && (isLetterOrDigit(c) || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return fault.Invalid("/team", "format", "a team's name has 1 to 64 letters, digits, dots, dashes or underscores", "use a name such as billing or team-7")
	}
	return nil
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Key is an API key as it is kept and shown. It never holds the secret.
type Key struct {
	ID     ID     `json:"id"`
	Name   string `json:"name"`
	Team   TeamID `json:"team"`
	Scopes Scopes `json:"scopes"`
	// Prefix is the beginning of the secret, by which its owner recognises it.
	Prefix string `json:"prefix"`
	// RateLimitPerHour is nil where the configuration's default holds, and 0 where there is no limit.
	RateLimitPerHour *int `json:"rate_limit_per_hour"`
	// TokensPerMinute is 0 where there is no limit.
	TokensPerMinute int `json:"tokens_per_minute"`
	// MaxConcurrency is 0 where there is no limit.
	MaxConcurrency int `json:"max_concurrency"`
	// PromptChars is 0 where limits.prompt_chars holds.
	PromptChars int `json:"prompt_chars,omitempty"`
	// Models lists the models that the key may use, as "name" or "provider/name"; empty allows all.
	Models []string `json:"models"`
	Budget *Budget  `json:"budget"`

	CreatedAt time.Time `json:"created_at"`
	// The times below are zero where the thing has not happened or never will.
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// Check says what is wrong with a key that shall be made, each fault with its pointer.
func (k Key) Check() error {
	var entries []fault.Entry
	add := func(pointer, rule, message, hint string) {
		entries = append(entries, fault.Entry{Pointer: pointer, Rule: rule, Message: message, Hint: hint})
	}
	if n := utf8.RuneCountInString(k.Name); n < 1 || n > maxName || !utf8.ValidString(k.Name) || strings.ContainsFunc(k.Name, isControl) {
		add("/name", "length", "a key's name has 1 to 200 characters, none of them a control character", "name the program or person that uses it")
	}
	if err := k.Team.Check(); err != nil {
		entries = append(entries, fault.Of(err).Entries...)
	}
	if k.Scopes == 0 {
		add("/scopes", "minItems", "a key has at least one scope", "leave scopes out for all but admin")
	}
	if k.RateLimitPerHour != nil && *k.RateLimitPerHour < 0 {
		add("/rate_limit_per_hour", "minimum", "a limit is not negative", "0 means no limit")
	}
	if k.TokensPerMinute < 0 {
		add("/tokens_per_minute", "minimum", "a limit is not negative", "0 means no limit")
	}
	if k.MaxConcurrency < 0 {
		add("/max_concurrency", "minimum", "a limit is not negative", "0 means no limit")
	}
	if k.PromptChars < 0 {
		add("/prompt_chars", "minimum", "a limit is not negative", "0 means the configured one")
	}
	if len(k.Models) > maxModels || slices.ContainsFunc(k.Models, badModel) {
		add("/models", "items", "models lists at most 100 names of 1 to 200 characters", "name them as model or provider/model")
	}
	if !k.Budget.sound() {
		entries = append(entries, badBudget())
	}
	if len(entries) == 0 {
		return nil
	}
	f := fault.New(fault.InvalidRequest, "the key is not valid: %s", entries[0].Message)
	f.Entries = entries
	return f
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

func badModel(name string) bool {
	return name == "" || utf8.RuneCountInString(name) > maxModel || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl)
}

// Reach says whose rows a call may see: one team's, or all. The zero Reach sees nothing, so that a forgotten one does no harm.
type Reach struct {
	team TeamID
	all  bool
}

// OfTeam reaches one team's rows.
func OfTeam(t TeamID) Reach { return Reach{team: t} }

// AllTeams reaches every team's rows; it is for administrators and the command line on the store.
func AllTeams() Reach { return Reach{all: true} }

// Team gives the one team, and whether all are reached instead.
func (r Reach) Team() (team TeamID, all bool) { return r.team, r.all }

// Covers says whether a row of the team may be seen.
func (r Reach) Covers(t TeamID) bool { return r.all || r.team != "" && r.team == t }

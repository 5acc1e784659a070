package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/key"
)

// keyring is where keys are managed: the store itself, or a running server. Both speak the client's types, so that what is shown is the same.
type keyring interface {
	CreateKey(ctx context.Context, r client.KeyRequest) (*client.Issued, error)
	Keys(ctx context.Context) iter.Seq2[client.Key, error]
	RotateKey(ctx context.Context, id string, grace time.Duration) (*client.Issued, error)
	RevokeKey(ctx context.Context, id string) error
}

// keyCommands are what the keys commands share.
type keyCommands struct {
	out      *printout
	settings *settings
	remote   *remote
}

func keysCommand(env *Env) *cobra.Command {
	k := func() *keyCommands {
		return &keyCommands{out: newPrintout(env), settings: &settings{env: env}, remote: &remote{env: env}}
	}
	return group(&cobra.Command{
		Use: "keys", Short: "Make, list, rotate and revoke API keys",
		Long: "Make, list, rotate and revoke API keys: in the store itself, also beside running servers, which see the change within a second;\n" +
			"or through a server with --server and a key with the scope admin in PROMPTD_API_KEY.",
		Example: examples("promptd keys create --name ci", "promptd keys list", "promptd keys revoke key_01…"),
	}, k().create(), k().list(), k().rotate(), k().revoke())
}

// flags adds those of every keys command.
func (k *keyCommands) flags(cmd *cobra.Command) *cobra.Command {
	k.out.flag(cmd)
	k.settings.flags(cmd)
	cmd.Flags().StringVar(&k.remote.address, "server", "", "manage the keys of a running server at this address, with the key in PROMPTD_API_KEY")
	return cmd
}

// with runs a function on the keys.
func (k *keyCommands) with(ctx context.Context, do func(keyring) error) error {
	if k.remote.address != "" {
		c, err := k.remote.client()
		if err != nil {
			return err
		}
		return do(c)
	}
	return k.settings.withStore(ctx, func(k kept) error { return do(storeKeys{&key.Issuer{Store: k.keys}}) })
}

func (k *keyCommands) create() *cobra.Command {
	var name, team, expires, budget string
	var scopes, models []string
	var rate, characters, tokens, places int
	cmd := &cobra.Command{
		Use: "create --name NAME", Short: "Make a key and show it, this once", Args: cobra.NoArgs,
		Example: examples("promptd keys create --name ci --expires 90d",
			"promptd keys create --name ops --scopes admin,requests,usage",
			"promptd keys create --name nightly --budget 5/day --tokens-per-minute 100000 --max-concurrency 8",
			"export PROMPTD_API_KEY=$(promptd keys create --name me --output json | jq -r .key)"),
	}
	cmd.Flags().StringVar(&name, "name", "", "who or what uses the key (needed)")
	cmd.Flags().StringVar(&team, "team", "", "the team whose data it sees (default "+string(key.DefaultTeam)+")")
	cmd.Flags().StringSliceVar(&scopes, "scopes", nil, "what it may do, of "+key.AllScopes.String()+" (default all but admin)")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends: after a while such as 90d or 12h, or at a time such as 2027-01-31 (default never)")
	cmd.Flags().IntVar(&rate, "rate-limit", 0, "requests per hour, 0 for no limit (default auth.default_rate_limit_per_hour)")
	cmd.Flags().IntVar(&tokens, "tokens-per-minute", 0, "tokens that its calls may read and write in a minute (default no limit)")
	cmd.Flags().IntVar(&places, "max-concurrency", 0, "requests at the same time (default no limit)")
	cmd.Flags().StringVar(&budget, "budget", "", "what its calls may cost, in dollars a day or a month (UTC), such as 5/day or 100/month (default no budget)")
	cmd.Flags().IntVar(&characters, "prompt-chars", 0, "longest prompt (default limits.prompt_chars)")
	cmd.Flags().StringSliceVar(&models, "models", nil, "the models it may use, as name or provider/name (default all)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := client.KeyRequest{Name: name, Team: team, Scopes: scopes, Models: models, PromptChars: characters, TokensPerMinute: tokens, MaxConcurrency: places}
		if name == "" {
			return usageError{errors.New("--name is missing: name the program or person that uses the key")}
		}
		if _, err := key.ParseScopes(scopes); err != nil {
			return usageError{fmt.Errorf("--scopes: use any of %s", key.AllScopes)}
		}
		if cmd.Flags().Changed("rate-limit") {
			r.RateLimitPerHour = &rate
		}
		var err error
		if r.Budget, err = budgetOf(budget); err != nil {
			return usageError{err}
		}
		if r.ExpiresAt, err = expiry(expires, time.Now()); err != nil {
			return usageError{err}
		}
		return k.with(cmd.Context(), func(keys keyring) error {
			made, err := keys.CreateKey(cmd.Context(), r)
			if err != nil {
				return err
			}
			return k.issued(made, "Key "+strconv.Quote(made.Name)+" of team "+made.Team+". It is shown this once:")
		})
	}
	return k.flags(cmd)
}

// issued shows a key with its secret.
func (k *keyCommands) issued(made *client.Issued, title string) error {
	if k.out.json() {
		return k.out.value(made)
	}
	ends, limit := "never", "the server's default"
	if !made.ExpiresAt.IsZero() {
		ends = when(made.ExpiresAt)
	}
	if n := made.RateLimitPerHour; n != nil {
		limit = "none"
		if *n > 0 {
			limit = count(int64(*n)) + " requests per hour"
		}
	}
	return k.out.line("%s\n\n  %s\n\nid       %s\nscopes   %s\nexpires  %s\nlimit    %s%s", title, k.out.env.ink().bold(made.Secret), made.ID,
		strings.Join(made.Scopes, ","), ends, limit, furtherLimits(&made.Key))
}

// furtherLimits says the limits that few keys have.
func furtherLimits(k *client.Key) string {
	var text string
	if k.TokensPerMinute > 0 {
		text += "\ntokens   " + count(int64(k.TokensPerMinute)) + " per minute"
	}
	if k.MaxConcurrency > 0 {
		text += "\nat once  " + count(int64(k.MaxConcurrency)) + " requests"
	}
	if k.Budget != nil {
		text += "\nbudget   $" + k.Budget.USD.String() + " a " + k.Budget.Period
	}
	return text
}

// budgetOf reads a sum with its period, such as 5/day.
func budgetOf(text string) (*client.Budget, error) {
	if text == "" {
		return nil, nil
	}
	sum, period, _ := strings.Cut(text, "/")
	n, err := key.ParseDollars(strings.TrimPrefix(sum, "$"))
	if err != nil || n < 0 || n > key.MostBudget || period != string(key.Daily) && period != string(key.Monthly) {
		return nil, fmt.Errorf("--budget: %q is no sum with its period, such as 5/day or 99.5/month", text)
	}
	return &client.Budget{USD: json.Number(n.String()), Period: period}, nil
}

func (k *keyCommands) list() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the keys, without their secrets", Args: cobra.NoArgs,
		Example: examples("promptd keys list", "promptd keys list --all --output json"),
	}
	cmd.Flags().BoolVar(&all, "all", false, "show revoked and expired keys too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return k.with(cmd.Context(), func(keys keyring) error {
			list := []client.Key{}
			hidden := 0
			now := time.Now()
			for one, err := range keys.Keys(cmd.Context()) {
				if err != nil {
					return err
				}
				if !all && state(one, now) != "active" {
					hidden++
					continue
				}
				list = append(list, one)
			}
			return k.show(list, hidden, now)
		})
	}
	return k.flags(cmd)
}

func (k *keyCommands) show(list []client.Key, hidden int, now time.Time) error {
	if k.out.json() {
		return k.out.value(client.List[client.Key]{Data: list})
	}
	if len(list) == 0 {
		if err := k.out.line("There is no key that can be used. promptd keys create --name NAME makes one."); err != nil {
			return err
		}
	} else {
		t := table{titles: []string{"ID", "NAME", "TEAM", "KEY", "STATE", "SCOPES", ">LIMIT/H", "EXPIRES", "LAST USED"}}
		for _, one := range list {
			limit := "default"
			if n := one.RateLimitPerHour; n != nil {
				limit = count(int64(*n))
				if *n == 0 {
					limit = "none"
				}
			}
			t.add(one.ID, one.Name, one.Team, one.Prefix+"…", state(one, now), strings.Join(one.Scopes, ","), limit, when(one.ExpiresAt), when(one.LastUsedAt))
		}
		if err := t.write(k.out.env.Stdout, k.out.env.ink()); err != nil {
			return err
		}
	}
	if hidden == 0 {
		return nil
	}
	return k.out.line("%d revoked or expired; --all shows them.", hidden)
}

func state(k client.Key, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now):
		return "expired"
	}
	return "active"
}

func (k *keyCommands) rotate() *cobra.Command {
	var grace string
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Give a key another secret and show it, this once", Args: cobra.ExactArgs(1),
		Example: examples("promptd keys rotate key_01…", "promptd keys rotate key_01… --grace 24h"),
	}
	cmd.Flags().StringVar(&grace, "grace", "0s", "how long the secret before stays valid, such as 24h or 7d")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := span(grace)
		if err != nil {
			return usageError{fmt.Errorf("--grace: %w", err)}
		}
		return k.with(cmd.Context(), func(keys keyring) error {
			made, err := keys.RotateKey(cmd.Context(), args[0], d)
			if err != nil {
				return err
			}
			title := "Another secret for key " + strconv.Quote(made.Name) + ". It is shown this once; the one before has ended:"
			if d > 0 {
				title = "Another secret for key " + strconv.Quote(made.Name) + ". It is shown this once; the one before ends in " + grace + ":"
			}
			return k.issued(made, title)
		})
	}
	return k.flags(cmd)
}

func (k *keyCommands) revoke() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a key for good", Args: cobra.ExactArgs(1),
		Example: examples("promptd keys revoke key_01…", "promptd keys revoke key_01… --server https://promptd.example.com"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return k.with(cmd.Context(), func(keys keyring) error {
			if err := keys.RevokeKey(cmd.Context(), args[0]); err != nil {
				return err
			}
			if k.out.json() {
				return k.out.value(struct {
					ID      string `json:"id"`
					Revoked bool   `json:"revoked"`
				}{args[0], true})
			}
			return k.out.line("Key %s is revoked; running servers refuse it within a second.", args[0])
		})
	}
	return k.flags(cmd)
}

// expiry reads when a key ends: after a while, or at a date or time.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := span(text); err == nil {
		if d == 0 {
			return time.Time{}, errors.New("--expires: the key would end at once")
		}
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			if !t.After(now) {
				return time.Time{}, fmt.Errorf("--expires: %s has passed", text)
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--expires: %q is neither a while such as 90d or 12h nor a time such as 2027-01-31 or 2027-01-31T12:00:00Z", text)
}

// span reads a duration; days and weeks are known beside Go's units.
func span(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	const longest = 100 * 365 * day
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil || n < 0 || time.Duration(n) > longest/unit {
				return 0, fmt.Errorf("%q is no duration such as 90d, 12h or 30m", text)
			}
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > longest {
		return 0, fmt.Errorf("%q is no duration such as 90d, 12h or 30m", text)
	}
	return d, nil
}

// storeKeys manages the keys in the store itself, those of every team.
type storeKeys struct{ issuer *key.Issuer }

// CreateKey makes a key.
func (s storeKeys) CreateKey(ctx context.Context, r client.KeyRequest) (*client.Issued, error) {
	scopes, err := key.ParseScopes(r.Scopes)
	if err != nil {
		return nil, err
	}
	made := key.Key{
		Name: r.Name, Team: key.TeamID(r.Team), Scopes: scopes, RateLimitPerHour: r.RateLimitPerHour, TokensPerMinute: r.TokensPerMinute,
		MaxConcurrency: r.MaxConcurrency, PromptChars: r.PromptChars, Models: r.Models, ExpiresAt: r.ExpiresAt,
	}
	if b := r.Budget; b != nil {
		n, err := key.ParseDollars(b.USD.String())
		if err != nil {
			return nil, err
		}
		made.Budget = &key.Budget{Limit: n, Period: key.Period(b.Period)}
	}
	k, secret, err := s.issuer.Create(ctx, made)
	return issuedOf(k, secret, err)
}

// Keys reads every key.
func (s storeKeys) Keys(ctx context.Context) iter.Seq2[client.Key, error] {
	return func(yield func(client.Key, error) bool) {
		for next := key.Cursor(""); ; {
			var page []key.Key
			var err error
			page, next, err = s.issuer.List(ctx, key.AllTeams(), key.MaxPage, next)
			if err != nil {
				yield(client.Key{}, err)
				return
			}
			for _, k := range page {
				if one, err := shownKey(k); !yield(one, err) || err != nil {
					return
				}
			}
			if next == "" {
				return
			}
		}
	}
}

// RotateKey gives a key another secret.
func (s storeKeys) RotateKey(ctx context.Context, id string, grace time.Duration) (*client.Issued, error) {
	k, secret, err := s.issuer.Rotate(ctx, key.AllTeams(), key.ID(id), grace)
	return issuedOf(k, secret, err)
}

// RevokeKey ends a key.
func (s storeKeys) RevokeKey(ctx context.Context, id string) error {
	_, err := s.issuer.Revoke(ctx, key.AllTeams(), key.ID(id))
	return err
}

func issuedOf(k key.Key, secret key.Secret, err error) (*client.Issued, error) {
	if err != nil {
		return nil, err
	}
	one, err := shownKey(k)
	return &client.Issued{Key: one, Secret: secret.Reveal()}, err
}

// shownKey makes of a key what a server would show of it: its JSON is that of the API.
func shownKey(k key.Key) (client.Key, error) {
	var one client.Key
	raw, err := json.Marshal(k)
	if err == nil {
		err = json.Unmarshal(raw, &one)
	}
	if err != nil {
		return one, fmt.Errorf("show key %s: %w", k.ID, err)
	}
	return one, nil
}

var (
	_ keyring = storeKeys{}
	_ keyring = (*client.Client)(nil)
)

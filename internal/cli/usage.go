package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

func usageCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var from, to string
	q := client.UsageQuery{Recommendations: true}
	cmd := &cobra.Command{
		Use: "usage", Short: "Show tokens, cost, hits and passes", Args: cobra.NoArgs,
		Long: "Show what requests did and cost, of the key's team. Sums are kept by the hour; times are rounded to it.\n" +
			"Below them stand models that would do better, where enough was measured of both: as good and cheaper, or better.",
		Example: examples("promptd usage", "promptd usage --from 7d --group-by day,model",
			"promptd usage --from 2026-11-01 --to 2026-12-01 --group-by key --output json"),
	}
	cmd.Flags().StringVar(&from, "from", "", "begin: a date, a time, or how long ago such as 24h or 7d (default: all)")
	cmd.Flags().StringVar(&to, "to", "", "end, as --from (default: now)")
	cmd.Flags().StringSliceVar(&q.GroupBy, "group-by", nil, "any of key, team, provider, model, schema, day")
	cmd.Flags().BoolVar(&q.AllTeams, "all-teams", false, "every team's, with a key that has the scope admin")
	server.flag(cmd)
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if q.From, err = moment("--from", from); err != nil {
			return err
		}
		if q.To, err = moment("--to", to); err != nil {
			return err
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		u, err := c.Usage(cmd.Context(), q)
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(u)
		}
		if err := usageTable(u, q.GroupBy).write(env.Stdout, env.ink()); err != nil {
			return err
		}
		return advice(out, u.Recommendations)
	}
	return cmd
}

// advice prints what the evidence speaks for; nothing where it does not.
func advice(out *printout, list []client.Recommendation) error {
	if len(list) == 0 {
		return nil
	}
	if err := out.line("\nRecommended, by what was measured of late:"); err != nil {
		return err
	}
	for _, r := range list {
		saves := ""
		if r.SavesPer1000 != "" {
			saves = "; $" + r.SavesPer1000.String() + " less for 1,000 answers"
			if amount, dearer := strings.CutPrefix(r.SavesPer1000.String(), "-"); dearer {
				saves = "; $" + amount + " more for 1,000 answers"
			}
		}
		if err := out.line("  %s: %s%s.", r.Kind, r.Text, saves); err != nil {
			return err
		}
	}
	return nil
}

// moment reads a time: a date, a time, or how long ago.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := span(text); err == nil {
		return time.Now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("%s: %q is neither a date such as 2026-11-01, nor a time such as 2026-11-01T08:00:00Z, nor a while ago such as 7d", flag, text)}
}

func usageTable(u *client.Usage, groups []string) *table {
	t := &table{}
	for _, g := range groups {
		t.titles = append(t.titles, strings.ToUpper(g))
	}
	t.titles = append(t.titles, ">REQUESTS", ">PASSED", ">CACHED", ">TOKENS IN", ">TOKENS OUT", ">COST USD", ">UNPRICED")
	for _, r := range u.Rows {
		names := map[string]string{"key": r.Key, "team": r.Team, "provider": r.Provider, "model": r.Model, "schema": r.Schema, "day": r.Day}
		var cells []string
		for _, g := range groups {
			name := names[g]
			if name == "" {
				name = "-"
			}
			cells = append(cells, name)
		}
		t.add(append(cells, sumCells(r.Sums)...)...)
	}
	if len(groups) > 0 {
		total := append([]string{"total"}, make([]string, len(groups)-1)...)
		t.add(append(total, sumCells(u.Total)...)...)
	} else if len(u.Rows) == 0 {
		t.add(sumCells(u.Total)...)
	}
	return t
}

func sumCells(s client.Sums) []string {
	return []string{
		count(s.Requests), share(s.Passed, s.Requests), share(s.Cached, s.Requests), count(s.InputTokens), count(s.OutputTokens), s.CostUSD.String(), count(s.UnpricedRequests),
	}
}

// share writes a part of a whole with its percentage.
func share(part, whole int64) string {
	if whole == 0 {
		return count(part)
	}
	const percent = 100
	return fmt.Sprintf("%s (%.0f%%)", count(part), percent*float64(part)/float64(whole))
}

func cacheCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "cache", Short: "Show the cache's figures, or empty it",
		Example: examples("promptd cache stats", "promptd cache clear --schema invoice", "promptd cache clear --all"),
	}, cacheStatsCommand(env), cacheClearCommand(env))
}

func cacheStatsCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd := &cobra.Command{
		Use: "stats", Short: "Show hits, misses and size", Args: cobra.NoArgs,
		Example: examples("promptd cache stats", "promptd cache stats --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client()
			if err != nil {
				return err
			}
			s, err := c.CacheStats(cmd.Context())
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(s)
			}
			ratio, bound := "-", "no bound known"
			if s.HitRatio != nil {
				const percent = 100
				ratio = fmt.Sprintf("%.1f%%", percent**s.HitRatio)
			}
			if s.MaxBytes > 0 {
				bound = "of " + bytesText(s.MaxBytes)
			}
			return out.line("hits         %s\nmisses       %s\nhit ratio    %s\nstored       %s\ndropped      %s\nevicted      %s\nexpired      %s\nentries      %s\nsize         %s %s",
				count(int64(s.Hits)), count(int64(s.Misses)), ratio, count(int64(s.Stores)), count(int64(s.Drops)), count(int64(s.Evictions)), count(int64(s.Expirations)), //nolint:gosec // No cache gets near 2^63.
				count(s.Entries), bytesText(s.Bytes), bound)
		},
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func cacheClearCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var d client.Drop
	cmd := &cobra.Command{
		Use: "clear", Short: "Take answers out of the cache", Args: cobra.NoArgs,
		Example: examples("promptd cache clear --schema invoice@3", "promptd cache clear --key CACHE_KEY", "promptd cache clear --all"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			targets := 0
			for _, given := range []bool{d.Schema != "", d.Template != "", d.Key != "", d.All} {
				if given {
					targets++
				}
			}
			if targets != 1 {
				return usageError{errors.New("say what to take out: exactly one of --schema, --template, --key and --all")}
			}
			c, err := server.client()
			if err != nil {
				return err
			}
			n, err := c.DropCache(cmd.Context(), d)
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(map[string]int{"dropped": n})
			}
			return out.line("%s taken out.", count(int64(n)))
		},
	}
	cmd.Flags().StringVar(&d.Schema, "schema", "", "answers of a schema, as name or name@version")
	cmd.Flags().StringVar(&d.Template, "template", "", "answers of a template")
	cmd.Flags().StringVar(&d.Key, "key", "", "the one answer with this cache_key")
	cmd.Flags().BoolVar(&d.All, "all", false, "everything of the key's team")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

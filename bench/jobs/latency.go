package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// latency is what submitting costs its caller, beside a bare INSERT and COMMIT of the same bytes.
type latency struct {
	rate                 int
	submit, insert       []time.Duration // of every round, sorted
	submitP50, submitP99 []time.Duration // of each round
	insertP50, insertP99 []time.Duration
	spell                time.Duration
}

func share(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// submitLatency sends jobs at a fixed rate while the worker does them; spells of it take turns with spells of the bare write, on the same server.
func (b *bench) submitLatency(ctx context.Context, s setup, rounds int) (*latency, error) {
	in, err := b.install(ctx, s)
	if err != nil {
		return nil, err
	}
	defer in.end()
	table := &installation{drop: func() {}}
	url, err := b.database(ctx, table)
	if err != nil {
		return nil, err
	}
	defer table.end()
	if out, err := exec.CommandContext(ctx, "psql", url, "-qc", "CREATE TABLE bare (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), request bytea NOT NULL)").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a table: %w: %s", err, out)
	}
	c := in.client()
	l := &latency{rate: 200, spell: 5 * time.Second}
	if err := errors.Join(closed(ctx, callers, warm, c.job), c.drained(ctx)); err != nil {
		return nil, err
	}
	for range rounds {
		took, err := open(ctx, l.rate, l.spell, c.job)
		if err != nil {
			return nil, err
		}
		l.submitP50, l.submitP99 = append(l.submitP50, share(took, 50)), append(l.submitP99, share(took, 99))
		l.submit = append(l.submit, took...)
		if err := c.drained(ctx); err != nil {
			return nil, err
		}
		if took, err = b.bare(ctx, url, l.rate, l.spell); err != nil {
			return nil, err
		}
		l.insertP50, l.insertP99 = append(l.insertP50, share(took, 50)), append(l.insertP99, share(took, 99))
		l.insert = append(l.insert, took...)
	}
	slices.Sort(l.submit)
	slices.Sort(l.insert)
	return l, nil
}

// bare is pgbench with one INSERT a transaction, at the same rate and likewise counted from when each was due.
func (b *bench) bare(ctx context.Context, url string, rate int, spell time.Duration) ([]time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "pgbench-")
	if err != nil {
		return nil, err
	}
	// In hexadecimal, since pgbench takes a colon for the beginning of a variable. It commits by itself, in one round trip: less than that nobody can do.
	statement := fmt.Sprintf("INSERT INTO bare (request) VALUES ('\\x%x');\n", body(1, fresh))
	script := filepath.Join(dir, "insert.sql")
	if err := os.WriteFile(script, []byte(statement), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "pgbench", "-n", "-M", "prepared", "-c", "16", "-j", "1", "-R", strconv.Itoa(rate), "-T", strconv.Itoa(int(spell.Seconds())), "-l", "-f", script, url)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "pgbench_log.*"))
	if err != nil || len(logs) == 0 {
		return nil, errors.Join(err, errors.New("pgbench left no log"))
	}
	var took []time.Duration
	for _, name := range logs {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			const elapsed = 2 // Column of the time in µs, from when it was due.
			if f := strings.Fields(line); len(f) > elapsed {
				n, err := strconv.ParseInt(f[elapsed], 10, 64)
				if err != nil {
					return nil, err
				}
				took = append(took, time.Duration(n)*time.Microsecond)
			}
		}
	}
	slices.Sort(took)
	return took, nil
}

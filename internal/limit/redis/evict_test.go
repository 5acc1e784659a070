package redis_test

import (
	"strings"
	"testing"

	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

func TestAnOperatorIsToldOfAServerThatEvicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, options, want string }{
		{"all keys", "--maxmemory 100mb --maxmemory-policy allkeys-lru", "maxmemory-policy allkeys-lru"},
		{"keys with a time to live", "--maxmemory 100mb --maxmemory-policy volatile-ttl", "maxmemory-policy volatile-ttl"},
		{"none", "--maxmemory 100mb --maxmemory-policy noeviction", ""},
		{"no bound", "--maxmemory 0 --maxmemory-policy allkeys-lru", ""},
		{"it says nothing", "--rename-command INFO FORBIDDEN", "not known whether"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := limits.Warning(t.Context(), redistest.Start(t, strings.Fields(c.options)...).Open(t))
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
			if got != "" && !strings.Contains(got, "state.url") {
				t.Errorf("got %q, which does not say what to do", got)
			}
		})
	}
}

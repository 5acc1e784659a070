package cache_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/cache"
	cacheredis "github.com/promptd/promptd/internal/cache/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// TestDocumentedUserSuffices does everything as the user that the guide makes, on a server set up as the guide says.
func TestDocumentedUserSuffices(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	var user, settings []string
	for line := range strings.Lines(string(guide)) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "ACL SETUSER "):
			user = words
		case strings.HasPrefix(line, "maxmemory"), strings.HasPrefix(line, "save "), strings.HasPrefix(line, "appendonly "):
			settings = append(settings, "--"+words[0], strings.Trim(words[1], `"`))
		}
	}
	if len(user) == 0 || len(settings) != 8 {
		t.Fatalf("the guide makes the user %q and sets %q", user, settings)
	}
	server := redistest.Start(t, settings...)
	admin := server.Open(t)
	if err := admin.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Arbitrary(user...).Build() }).Error(); err != nil {
		t.Fatalf("%s: %v", strings.Join(user, " "), err)
	}
	server.URL = strings.Replace(server.URL, "redis://", "redis://promptd:secret@", 1)
	server.Prefix = redis.DefaultPrefix
	one, other := begin(t, server.Open(t), nil, 0), begin(t, server.Open(t), nil, 0)
	k := build("a", field{"n", "1"})
	mustPut(t, one, k, "v", cache.SchemaTags("a", "s@1")...)
	mustGive(t, other, k, "v")
	if _, err := one.Drop(t.Context(), cache.SchemaTag("a", "s"), cache.KeyTag(k)); err != nil {
		t.Errorf("Drop = %v", err)
	}
	settle(t, one, other)
	mustMiss(t, other, k)
	lock := cacheredis.NewLock(one.client)
	if leader, err := lock.Take(t.Context(), k, "token", time.Minute); err != nil || leader != "token" {
		t.Errorf("Take = %q, %v", leader, err)
	}
	if err := lock.End(t.Context(), k, "token", cache.Stored); err != nil {
		t.Errorf("End = %v", err)
	}
	if how, err := lock.Look(t.Context(), k, "token"); err != nil || how != cache.Stored {
		t.Errorf("Look = %d, %v", how, err)
	}
	// And what is not promptd's is none of its business.
	err = one.client.Do(context.Background(), func(b rueidis.Builder) rueidis.Completed { return b.Get().Key("another's").Build() }).Error()
	if err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a read of another's key = %v, want NOPERM", err)
	}
	if f := one.client.Figures(); f.Failures != 0 || f.Outages != 0 {
		t.Errorf("Figures = %+v, want no failures", f)
	}
}

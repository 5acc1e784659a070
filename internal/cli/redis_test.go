package cli

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// TestCheckOfARedis looks at real servers as check and doctor do.
func TestCheckOfARedis(t *testing.T) {
	t.Parallel()
	keeps := redistest.Start(t, "--maxmemory-policy", "noeviction")
	evicts := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	locked, open := strings.Replace(keeps.URL, "://", "://who:wrong-secret@", 1), keeps.URL
	for _, x := range []struct {
		name, cache, state string
		want               []finding
	}{
		{"wrong password", locked, "", []finding{{Area: "cache.url", Is: risky, Text: "refuses the user or the password", Advice: "Correct user and password in cache.url"}}},
		{"fit for both", open, "", []finding{{Area: "cache.url", Is: fine, Text: "maxmemory-policy noeviction"}}},
		{"limits that may be evicted", evicts.URL, "", []finding{{Area: "cache.url", Is: risky, Text: "allkeys-lru", Advice: "state.url"}}},
		{"each its own", evicts.URL, open, []finding{{Area: "cache.url", Is: fine, Text: "allkeys-lru"}, {Area: "state.url", Is: fine, Text: "noeviction"}}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			loaded, err := config.Load(config.Options{
				Environ: []string{"PROMPTD_CACHE_URL=" + x.cache, "PROMPTD_STATE_URL=" + x.state}, Adapters: app.Adapters(), StoreOnly: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			var f findings
			f.redis(t.Context(), &loaded.Config, false)
			if len(f) != len(x.want) {
				t.Fatalf("found %+v, want %d", f, len(x.want))
			}
			for n, w := range x.want {
				if f[n].Area != w.Area || f[n].Is != w.Is || !strings.Contains(f[n].Text, w.Text) || !strings.Contains(f[n].Advice, w.Advice) || strings.Contains(f[n].Text, "secret") {
					t.Errorf("found %+v, want %+v", f[n], w)
				}
			}
		})
	}
}

package postgres_test

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/usage"
)

// TestAnOwnerNeedsNoMoreRights works as a role that owns its database and may nothing else, as the guide says.
func TestAnOwnerNeedsNoMoreRights(t *testing.T) {
	t.Parallel()
	database := postgrestest.Empty(t)
	role := "promptd_test_" + strings.ToLower(rand.Text())
	server := postgrestest.URL(t)
	run(t, server, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret' NOSUPERUSER NOCREATEDB NOCREATEROLE", "ALTER DATABASE "+postgrestest.Name(database)+" OWNER TO "+role)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	t.Cleanup(func() {
		// What it owns goes first; the database itself is given back and dropped by its test.
		run(t, database, "REASSIGN OWNED BY "+role+" TO CURRENT_USER")
		run(t, server, "DROP OWNED BY "+role, "DROP ROLE "+role)
	})
	db := open(t, postgres.Options{URL: u.String()})
	now := time.Now()
	if err := db.History().Append(t.Context(), []usage.Record{recordAt("a", now)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.History().Purge(t.Context(), now.AddDate(0, -1, 0), 10); err != nil {
		t.Fatal(err)
	}
	if got := partitions(t, database); len(got) != 4 || got["requests_other"] != 0 {
		t.Errorf("got the partitions %v, want this month with its row, and two ahead", got)
	}
	if _, _, err := (&key.Issuer{Store: db.Keys()}).Create(t.Context(), key.Key{Name: "ci"}); err != nil {
		t.Error(err)
	}
}

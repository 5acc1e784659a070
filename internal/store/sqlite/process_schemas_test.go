package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/value"
)

// publishMany publishes versions of one name, each of a content that no other has, and prints each number after it was acknowledged.
func publishMany(ctx context.Context, db *sqlite.DB, who string, n int) error {
	r := registry.New(registry.Config{Store: db.Schemas(), Schemas: schema.NewCache(0)})
	for i := range n {
		v, err := value.DecodeString(fmt.Sprintf(`{"const":"%s %d"}`, who, i), value.Limits{})
		if err != nil {
			return err
		}
		p, err := r.Publish(ctx, "acme", "", registry.Draft{Name: "busy", Schema: v, Compatibility: compat.None})
		if err != nil {
			return err
		}
		fmt.Println(p.Version.Number)
	}
	return nil
}

func TestProcessesPublishWithoutLosingAVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes, each = 3, 20
	db := open(t, sqlite.Options{Dir: dir})
	var got []int
	var outs []func() string
	for i := range processes {
		_, out := start(t, dir, "publish process-"+strconv.Itoa(i))
		outs = append(outs, func() string { return line(t, out) })
	}
	for _, next := range outs {
		for range each {
			n, err := strconv.Atoi(strings.TrimSpace(next()))
			if err != nil {
				t.Fatalf("another process said: %v", err)
			}
			got = append(got, n)
		}
	}
	slices.Sort(got)
	for i, n := range got {
		if n != i+1 {
			t.Fatalf("got the versions %v, want 1 to %d once each", got, processes*each)
		}
	}
	one, _, err := db.Schemas().Find(t.Context(), "acme", "busy", 0)
	if err != nil || one.Newest != processes*each {
		t.Errorf("got the newest version %d, %v, want %d", one.Newest, err, processes*each)
	}
}

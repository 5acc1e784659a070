package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

func TestVersionsChangeNothingAndFollowTheMigration(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	before, err := Versions(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	after, err := Versions(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 2 || len(after) != 2 {
		t.Fatalf("got %v and %v, want two files", before, after)
	}
	for n := range before {
		if before[n].Have != 0 || before[n].Newest == 0 || after[n].Have != before[n].Newest || after[n].File != before[n].File {
			t.Errorf("%s: before %+v, after %+v", before[n].File, before[n], after[n])
		}
	}
}

package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/dialect"
)

// The page about providers names every deviation and every form of a credential, and none that there is not.
func TestThePageOfProvidersNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	page := filepath.Join("docs", "guide", "adding-providers.md")
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").FindAllSubmatch(text, -1) {
		named = append(named, string(m[1]))
	}
	want := append(dialect.DeviationNames(), app.Adapters().AuthTypes...)
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("%s has rows for\n%v, there are\n%v", page, named, want)
	}
}

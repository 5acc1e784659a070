package lint_test

import (
	"os"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/lint"
)

func TestEveryRuleIsInTheGuide(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/guide/schemas.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range lint.Rules() {
		if !strings.Contains(string(page), "`"+rule+"`") {
			t.Errorf("docs/guide/schemas.md does not name the rule %s", rule)
		}
	}
}

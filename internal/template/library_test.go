package template_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/template"
)

func newLibrary(tb testing.TB, change func(*template.Config)) *template.Library {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), sqlite.Options{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	cfg := template.Config{Store: db.Templates()}
	change(&cfg)
	return template.New(cfg)
}

// publish publishes a template with one parameter.
func publish(tb testing.TB, l *template.Library, parameter, mode string) error {
	tb.Helper()
	d, err := l.Read(body.Open(decode(tb, `{"name": "order", "text": "{{ a }}", "parameters": {"a": `+parameter+`}, "compatibility": "`+mode+`"}`)))
	if err != nil {
		tb.Fatal(err)
	}
	_, err = l.Publish(tb.Context(), "acme", "", d)
	return err
}

// A machine that is busy finds nothing out: that is told as such. What is plain to see is a conflict all the same.
func TestAComparisonThatTakesTooLongIsNoConflict(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, func(c *template.Config) { c.Patience = -1 })
	const list, longer = `{"type": "list", "schema": {"type": "array", "items": {"type": "integer"}}}`, `{"type": "list", "schema": {"type": "array", "items": {"type": "number"}}}`
	if err := publish(t, l, list, "backward"); err != nil {
		t.Fatal(err)
	}
	err := publish(t, l, longer, "backward")
	if !fault.Is(err, fault.Timeout) || !strings.Contains(fault.Of(err).Detail, "order@1") {
		t.Errorf("schemas that could not be compared: got %v, want TIMEOUT", err)
	}
	if err := publish(t, l, `{"type": "string"}`, "backward"); !fault.Is(err, fault.Conflict) {
		t.Errorf("another type: got %v, want CONFLICT", err)
	}
	if err := publish(t, l, longer, "none"); err != nil {
		t.Errorf("compatibility none: got %v, want it published", err)
	}
}

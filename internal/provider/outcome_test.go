package provider_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

var update = flag.Bool("update", false, "rewrite the reference page")

func TestEveryOutcomeHasARow(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, r := range provider.Rules() {
		o := dialect.Outcome(i) //nolint:gosec // The table is short.
		if r.Outcome != o || r.Means == "" || r != provider.RuleOf(o) {
			t.Errorf("the row of %s is %+v", o, r)
		}
		if name := o.String(); seen[name] {
			t.Errorf("two outcomes are called %s", name)
		} else {
			seen[name] = true
		}
		if (r.Code == fault.Internal) != (o == dialect.OK) {
			t.Errorf("%s: the caller gets %s", o, r.Code)
		}
		if r.Repeat && !r.Next {
			t.Errorf("%s is worth a repeat and not another candidate", o)
		}
	}
	// Whatever outcome comes after the last, it has a name of its own and no row: then this fails.
	beyond := dialect.Outcome(len(provider.Rules())) //nolint:gosec // The table is short.
	if beyond.String() != dialect.Unknown.String() {
		t.Errorf("the outcome %s has no row", beyond)
	}
	if got := provider.RuleOf(beyond); got.Outcome != dialect.Unknown {
		t.Errorf("what is no outcome has the row of %s", got.Outcome)
	}
}

// A caller must not be able to take a model away from others by what he sends, nor by going away.
func TestWhatCallersCauseIsNotHeldAgainstTheService(t *testing.T) {
	t.Parallel()
	for _, o := range []dialect.Outcome{dialect.BadRequest, dialect.TooLarge, dialect.SchemaRejected, dialect.ContextExceeded, dialect.Cancelled, dialect.Refused, dialect.Filtered} {
		if r := provider.RuleOf(o); r.Health == provider.Bad || r.Slows || r.Rests {
			t.Errorf("%s: %+v", o, r)
		}
	}
}

const outcomesPage = "../../docs/reference/outcomes.md"

func TestReferencePageIsCurrent(t *testing.T) {
	t.Parallel()
	want := outcomes()
	if *update {
		if err := os.WriteFile(outcomesPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(outcomesPage)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("%s is out of date; run go test ./internal/provider -run Reference -update (-want +got):\n%s", outcomesPage, d)
	}
}

func outcomes() string {
	var b strings.Builder
	b.WriteString("<!-- Code generated from internal/provider; DO NOT EDIT. go test ./internal/provider -run Reference -update writes it. -->\n\n# Outcomes of attempts\n\n" +
		"What becomes of a call to a provider has one of these names, in `attempts[].outcome` of an answer and in the metric `llm_requests_total`.\n\n" +
		"- *repeat*: the same call may work at the same provider after a pause. *next*: another provider or model may do better. *re-ask*: the model is shown its answer and what is wrong with it.\n" +
		"- *health*: how the [breaker](../guide/providers.md) counts it. What a request or its caller brings about counts neither way, so that no caller can take a model away from the others.\n" +
		"  A timeout counts only where the call had as long as 95 % of good calls take (a second where that is not known), or half of them and it is the third in a row.\n" +
		"- *slows*: the provider's concurrency limit goes down (for `overloaded` with status 429, 498, 503 or 529, or where the service names a wait). *rests*: the credential is left alone for a while.\n" +
		"- *code*: what the caller gets where no further attempt helps; [errors](errors.md) says more.\n\n" +
		"| outcome | what it is | repeat | next | re-ask | health | slows | rests | code |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	for _, r := range provider.Rules() {
		code := "`" + r.Code.String() + "`"
		if r.Outcome == dialect.OK {
			code = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Outcome, r.Means, yes(r.Repeat), yes(r.Next), yes(r.Reask), r.Health, yes(r.Slows), yes(r.Rests), code)
	}
	return b.String()
}

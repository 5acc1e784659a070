package fault_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/sharedtest"
)

var update = flag.Bool("update", false, "rewrite the reference page")

const page = "../../docs/reference/errors.md"

// promised are the codes and statuses that callers build upon; they never change.
func promised() map[string]int {
	return map[string]int{
		"INVALID_REQUEST": 400, "INVALID_SCHEMA": 400, "UNAUTHORIZED": 401, "BUDGET_EXCEEDED": 402, "FORBIDDEN": 403, "NOT_FOUND": 404, "METHOD_NOT_ALLOWED": 405,
		"NOT_ACCEPTABLE": 406, "CONFLICT": 409, "GONE": 410, "PAYLOAD_TOO_LARGE": 413, "UNSUPPORTED_MEDIA_TYPE": 415, "VALIDATION_FAILED": 422, "CONTENT_REFUSED": 422,
		"RATE_LIMIT_EXCEEDED": 429, "INTERNAL_ERROR": 500, "LLM_PROVIDER_ERROR": 502, "OVERLOADED": 503, "TIMEOUT": 504,
	}
}

func table() map[string]int {
	got := map[string]int{}
	for _, c := range fault.Codes() {
		got[c.String()] = c.Status()
	}
	return got
}

func TestCodesAreThosePromised(t *testing.T) {
	t.Parallel()
	if d := cmp.Diff(promised(), table()); d != "" {
		t.Errorf("codes and statuses (-promised +table):\n%s", d)
	}
	if n := len(fault.Codes()); n != len(promised()) {
		t.Errorf("%d codes share %d names", n, len(promised()))
	}
}

func TestCodesAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(sharedtest.Dir(t, "spec", "product.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "\nCodes: ")
	if !ok {
		t.Fatal("the specification has no list of codes")
	}
	list, _, _ = strings.Cut(list, "`Idempotency-Key`")
	want := map[string]int{}
	for _, m := range regexp.MustCompile("`([A-Z_]+)` ([0-9]{3})").FindAllStringSubmatch(list, -1) {
		want[m[1]], _ = strconv.Atoi(m[2])
	}
	if d := cmp.Diff(want, table()); d != "" {
		t.Errorf("codes and statuses (-specification +table):\n%s", d)
	}
}

func TestEveryCodeExplainsItself(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for _, c := range fault.Codes() {
		row := c.Row()
		if !strings.HasSuffix(row.Remediation, ".") || row.Title == "" || strings.HasSuffix(row.Title, ".") || titles[row.Title] {
			t.Errorf("%s: title %q, remediation %q", c, row.Title, row.Remediation)
		}
		titles[row.Title] = true
		if back, ok := fault.Named(row.Name); !ok || back != c {
			t.Errorf("Named(%s) = %s, %v", row.Name, back, ok)
		}
		want := fault.ExitFailed
		switch {
		case row.Status == 422:
			want = fault.ExitInvalid
		case row.Status == 401 || row.Status == 403:
			want = fault.ExitUnauthorized
		case row.Status == 429 || row.Status > 500:
			want = fault.ExitUnavailable
		}
		if row.Exit != want {
			t.Errorf("%s (%d) ends a command with %d, want %d", c, row.Status, row.Exit, want)
		}
	}
	if _, ok := fault.Named("NO_SUCH_CODE"); ok {
		t.Error("a code that does not exist has been found")
	}
	if got := fault.Code(200); got.String() != "INTERNAL_ERROR" || got.Status() != 500 {
		t.Errorf("a code beyond the table is %s %d", got, got.Status())
	}
}

func TestAFaultIsFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk is full")
	f := fault.New(fault.Overloaded, "%d requests wait", 7).Because(cause)
	wrapped := fmt.Errorf("write history: %w", f)
	if got := fault.Of(wrapped); got != f {
		t.Errorf("Of gives %v", got)
	}
	if !fault.Is(wrapped, fault.Overloaded) || fault.Is(wrapped, fault.Timeout) || fault.Is(cause, fault.Internal) || fault.Is(nil, fault.Internal) {
		t.Error("Is does not tell codes apart")
	}
	if !errors.Is(wrapped, cause) {
		t.Error("the cause is lost")
	}
	if got, want := wrapped.Error(), "write history: OVERLOADED: 7 requests wait: disk is full"; got != want {
		t.Errorf("the error says %q, want %q", got, want)
	}
	if got, want := fault.New(fault.NotFound, "no such key").Error(), "NOT_FOUND: no such key"; got != want {
		t.Errorf("the error says %q, want %q", got, want)
	}
	if fault.Of(nil) != nil {
		t.Error("no error is a fault")
	}
}

// What nobody gave a meaning is told to the caller as internal, without its text.
func TestAnyOtherErrorIsInternal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("select secret from keys"), context.DeadlineExceeded} {
		f := fault.Of(fmt.Errorf("read: %w", err))
		if f.Code != fault.Internal || strings.Contains(f.Detail, err.Error()) || !errors.Is(f, err) || f.Entries != nil {
			t.Errorf("Of(%v) = %+v", err, *f)
		}
	}
}

func TestInvalidHasOneEntry(t *testing.T) {
	t.Parallel()
	f := fault.Invalid("/options/a", "range", "a must be 1", "Send 1.")
	want := &fault.Fault{Code: fault.InvalidRequest, Detail: "a must be 1", Entries: []fault.Entry{{Pointer: "/options/a", Rule: "range", Message: "a must be 1", Hint: "Send 1."}}}
	if d := cmp.Diff(want, f); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestReferencePageIsCurrent(t *testing.T) {
	t.Parallel()
	want := reference()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("%s is out of date; run go test ./internal/fault -run Reference -update (-want +got):\n%s", page, d)
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString("<!-- Code generated from internal/fault; DO NOT EDIT. go test ./internal/fault -run Reference -update writes it. -->\n\n# Errors\n\n" +
		"Every error is an `application/problem+json` document (RFC 9457). Its `code` never changes and is what programs should look at; `detail` is for people.\n\n" +
		"```json\n" + `{"type": "…", "title": "Invalid request", "status": 400, "detail": "prompt has 12,400 characters; this key allows 10,000 (limits.prompt_chars)",
 "code": "INVALID_REQUEST", "request_id": "…",
 "errors": [{"pointer": "/prompt", "rule": "limits.prompt_chars", "message": "prompt has 12,400 characters; this key allows 10,000 (limits.prompt_chars)",
             "hint": "Send a shorter text, or raise limits.prompt_chars."}],
 "remediation": "Correct the fields named in errors and send the request again."}` + "\n```\n\n" +
		"`errors` holds an entry for each single fault: `pointer` is a JSON pointer into the body, `rule` a short name of what is violated. With `VALIDATION_FAILED` the entries are those\n" +
		"of the validation report. `remediation` says what to do where nothing more exact is known; the table has it for each code. The last column is the exit code of the command line.\n" +
		"No error holds a piece of a prompt, of an answer or of a secret.\n\n")
	b.WriteString("| code | status | title | what to do | exit |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range fault.Codes() {
		row := c.Row()
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %d |\n", row.Name, row.Status, row.Title, strings.ReplaceAll(strings.ReplaceAll(row.Remediation, "|", `\|`), "<key>", "`<key>`"), row.Exit)
	}
	b.WriteString("\nExit codes of the command line: 0 done, 1 failed, 2 usage, 3 validation failed, 4 unauthorised, 5 unavailable.\n")
	return b.String()
}

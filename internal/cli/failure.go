package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// reportRemote says what a server answered instead of a result, or that none answered, and gives the exit code; false where the error is no such thing.
func reportRemote(err error, stderr io.Writer) (code int, is bool) {
	var lost *client.UnreachableError
	if errors.As(err, &lost) {
		fmt.Fprintf(stderr, "promptd: %v\nIs the server running there? promptd serve starts one; --server or PROMPTD_SERVER names another address.\n", lost)
		return fault.ExitUnavailable, true
	}
	var e *client.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	detail := e.Detail
	if detail == "" {
		detail = e.Title
	}
	fmt.Fprintf(stderr, "promptd: %s\n", detail)
	for _, d := range e.Errors {
		switch {
		case d.Message != detail || d.Pointer != "":
			writeDefect(stderr, d)
		case d.Hint != "":
			fmt.Fprintf(stderr, "  %s\n", d.Hint)
		}
	}
	writeAttempts(stderr, e.Attempts)
	if e.Remediation != "" {
		fmt.Fprintln(stderr, e.Remediation)
	}
	if e.RequestID != "" {
		fmt.Fprintf(stderr, "request %s\n", e.RequestID)
	}
	return exitOf(e), true
}

// exitOf gives the exit code of a problem document.
func exitOf(e *client.Error) int {
	if code, ok := fault.Named(e.Code); ok {
		return code.Row().Exit
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.ExitUnauthorized
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.ExitUnavailable
	}
	return fault.ExitFailed
}

func writeDefect(w io.Writer, d client.Defect) {
	at := d.Pointer
	if at == "" {
		at = "(whole)"
	}
	what := d.Message
	if d.Keyword != "" && !strings.Contains(what, d.Keyword) {
		what += " [" + d.Keyword + "]"
	}
	fmt.Fprintf(w, "  %s: %s\n", at, what)
	if d.Hint != "" {
		fmt.Fprintf(w, "    %s\n", d.Hint)
	}
}

func writeAttempts(w io.Writer, attempts []client.Attempt) {
	for _, a := range attempts {
		text := fmt.Sprintf("  attempt %d: %s/%s %s", a.N, a.Provider, a.Model, a.Outcome)
		if a.Status != 0 {
			text += fmt.Sprintf(" (status %d)", a.Status)
		}
		if a.Error != "" {
			text += ": " + a.Error
		}
		fmt.Fprintf(w, "%s, %s\n", text, milliseconds(a.TotalMS))
	}
}

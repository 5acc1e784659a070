package openai

import (
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// wait reads how long a service asks to wait: from its headers, else from the text of its message.
func wait(h http.Header, message string) time.Duration {
	for _, read := range [...]func() time.Duration{
		func() time.Duration { return dialect.RetryAfter(h) },
		func() time.Duration { return resets(h) },
		func() time.Duration { return tryAgain(message) },
	} {
		if d := read(); d > 0 {
			return min(d, dialect.MaxWait)
		}
	}
	return 0
}

// resets reads when the exhausted limit is full again.
func resets(h http.Header) time.Duration {
	var longest time.Duration
	for _, of := range [...]string{"Requests", "Tokens", "Tokens-Minute", "Requests-Day"} {
		if h.Get("X-Ratelimit-Remaining-"+of) != "0" {
			continue
		}
		longest = max(longest, duration(h.Get("X-Ratelimit-Reset-"+of)))
	}
	return longest
}

// duration reads "120ms", "6m0s" or plain seconds.
func duration(s string) time.Duration {
	if d := dialect.Number(s, time.Second); d > 0 {
		return d
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}

// tryAgain reads "Please try again in 3.89s." and its like.
func tryAgain(message string) time.Duration {
	lower := strings.ToLower(message)
	for _, phrase := range [...]string{"try again in ", "retry in ", "retry after "} {
		_, rest, found := strings.Cut(lower, phrase)
		if !found {
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789.hmsµu", r) })
		if end < 0 {
			end = len(rest)
		}
		text := strings.TrimRight(rest[:end], ".")
		if d := duration(text); d > 0 {
			if unit := strings.TrimLeft(rest[end:], " "); strings.HasPrefix(unit, "minute") && end < len(rest) && !strings.ContainsAny(text, "hms") {
				return d * 60
			}
			return d
		}
	}
	return 0
}

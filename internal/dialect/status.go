package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxWait is the longest wait that is believed; a day covers limits per day.
const MaxWait = 24 * time.Hour

// OfStatus judges an answer by its status alone, for what a service's own code and message leave open. It is the table of what is retryable that all
// dialects share.
func OfStatus(status int) Outcome {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Auth
	case http.StatusPaymentRequired:
		return Quota
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, 522, 524:
		return Timeout
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusConflict, http.StatusTooEarly, http.StatusFailedDependency, 498:
		return OverloadedProvider
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return BadRequest
	}
	switch {
	case status >= 500 && status < 600:
		return OverloadedProvider
	case status >= 300 && status < 500: // A redirect is not followed: the address is wrong.
		return BadRequest
	default:
		return Unknown
	}
}

// RetryAfter reads the wait that the headers Retry-After-Ms and Retry-After ask for; 0 is none. A date counts from the answer's own Date: a dialect has
// no clock.
func RetryAfter(h http.Header) time.Duration {
	if d := Number(h.Get("Retry-After-Ms"), time.Millisecond); d > 0 {
		return d
	}
	s := h.Get("Retry-After")
	if d := Number(s, time.Second); d > 0 || s == "" {
		return d
	}
	until, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), MaxWait)
}

// Number reads a positive number of a unit of time, cut to MaxWait; anything else is 0.
func Number(s string, unit time.Duration) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > 0) {
		return 0
	}
	if f > float64(MaxWait)/float64(unit) {
		return MaxWait
	}
	return time.Duration(f * float64(unit))
}

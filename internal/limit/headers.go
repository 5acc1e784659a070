package limit

import (
	"strconv"
	"time"
)

// The names of the header fields (draft-ietf-httpapi-ratelimit-headers-11).
const (
	PolicyField    = "RateLimit-Policy"
	RemainingField = "RateLimit"
)

// maxInteger is the largest integer of a structured field (RFC 9651): 15 digits.
const maxInteger = 999_999_999_999_999

// Named is a policy with its name on the wire and what was decided by it.
type Named struct {
	// Name is a word of ours such as "hour" or "tokens"; it tells a caller which policy a RateLimit item belongs to.
	Name     string
	Policy   Policy
	Decision Decision
}

// PolicyHeader gives the value of RateLimit-Policy: for each policy its quota and its window in seconds, as in
// "hour";q=1000;w=3600. It is empty where there is no policy.
func PolicyHeader(items ...Named) string {
	out := make([]byte, 0, 32*len(items))
	for _, n := range items {
		out = appendName(out, n.Name)
		out = appendParameter(out, "q", int64(n.Policy.Limit))
		out = appendParameter(out, "w", Seconds(n.Policy.Period))
	}
	return string(out)
}

// RemainingHeader gives the value of RateLimit: for each policy what is left and the seconds until the whole quota is there
// again, as in "hour";r=999;t=4. It is empty where there is no policy.
func RemainingHeader(items ...Named) string {
	out := make([]byte, 0, 32*len(items))
	for _, n := range items {
		out = appendName(out, n.Name)
		out = appendParameter(out, "r", int64(n.Decision.Remaining))
		out = appendParameter(out, "t", Seconds(n.Decision.ResetAfter))
	}
	return string(out)
}

// RetryAfterHeader gives the value of Retry-After: whole seconds, rounded up and at least 1, so that nobody who obeys it is
// refused for coming a moment early.
func RetryAfterHeader(d time.Duration) string {
	return strconv.FormatInt(max(Seconds(d), 1), 10)
}

// appendName starts a list item: a structured string. What cannot stand in one is left out, because a header field that
// does not parse is worth less than an odd name.
func appendName(out []byte, name string) []byte {
	if len(out) > 0 {
		out = append(out, ", "...)
	}
	out = append(out, '"')
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= 0x20 && c < 0x7f:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

func appendParameter(out []byte, key string, n int64) []byte {
	out = append(out, ';')
	out = append(out, key...)
	out = append(out, '=')
	return strconv.AppendInt(out, min(n, maxInteger), 10)
}

package api

import (
	"strconv"
	"strings"
)

// accepts says whether an Accept header allows one of the media types. Without a header, or with one that can't be read, everything is allowed.
func accepts(values []string, kinds ...string) bool {
	if len(values) == 0 || len(values) == 1 && (values[0] == "*/*" || values[0] == kinds[0]) {
		return true // Nearly always.
	}
	text := strings.Join(values, ",")
	if strings.TrimSpace(text) == "" {
		return true
	}
	for _, kind := range kinds {
		if allows(text, kind) {
			return true
		}
	}
	return false
}

// allows takes the range that names the type most closely: application/json;q=0 beside */* refuses JSON (RFC 9110, 12.5.1).
func allows(text, kind string) bool {
	family, _, _ := strings.Cut(kind, "/")
	best, allowed := 0, false
	for item := range strings.SplitSeq(text, ",") {
		name, parameters, _ := strings.Cut(item, ";")
		closeness := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case kind:
			closeness = 3
		case family + "/*":
			closeness = 2
		case "*/*":
			closeness = 1
		}
		if closeness > best {
			best, allowed = closeness, quality(parameters) > 0
		}
	}
	return allowed
}

func quality(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				return q
			}
		}
	}
	return 1
}

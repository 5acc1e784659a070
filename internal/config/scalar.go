package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// fault is what is wrong with one value, before it is known where it was given.
type fault struct{ message, hint string }

// unexpanded is the same fault without the value, which came out of a variable and may be a secret that was put into the wrong place.
func (w *fault) unexpanded(f field, text string) *fault {
	what := f.article()
	if f.enum != nil || f.format != "" {
		what = "possible here"
	}
	return &fault{fmt.Sprintf("%s expands to what is not %s, or out of range", text, what), w.hint}
}

// set reads a text into a value of the field's kind and checks range, allowed values and form.
// Its errors show the text only where the field can't hold a secret.
func (l *loader) set(f field, v reflect.Value, text string) *fault {
	switch f.kind {
	case kindSecret, kindLocator:
		s, err := l.resolve(text)
		if err != nil {
			return &fault{message: err.Error()}
		}
		if f.kind == kindLocator {
			v.Set(reflect.ValueOf(Locator{secret: s}))
		} else {
			v.Set(reflect.ValueOf(s))
		}
		return nil
	case kindText:
		if wrong := f.checkText(text); wrong != nil {
			return wrong
		}
		v.SetString(text)
		return nil
	}
	return f.setOrdered(v, text)
}

// setOrdered reads a value that can be compared with min and max.
func (f field) setOrdered(v reflect.Value, text string) *fault {
	n, wrong := f.parse(text)
	if wrong != nil {
		return wrong
	}
	if f.kind == kindBool {
		v.SetBool(n != 0)
		return nil
	}
	if f.min != "" && n < f.bound(f.min) || f.max != "" && n > f.bound(f.max) {
		return &fault{fmt.Sprintf("%s is out of range", text), fmt.Sprintf("it must be from %s to %s", f.show(f.min), f.show(f.max))}
	}
	if f.kind == kindFloat {
		v.SetFloat(n)
		return nil
	}
	v.SetInt(int64(n))
	return nil
}

// show adds the unit that a bound of a size has.
func (f field) show(bound string) string {
	if f.kind == kindBytes {
		return bound + " bytes"
	}
	return bound
}

func (f field) bound(text string) float64 {
	n, wrong := f.parse(text)
	if wrong != nil {
		panic("config: bound of " + f.name + ": " + wrong.message)
	}
	return n
}

// parse gives the number behind a text. A float64 holds every integer below 2^53 exactly, which is above every bound here.
func (f field) parse(text string) (float64, *fault) {
	switch f.kind {
	case kindBool:
		switch text {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		return 0, &fault{fmt.Sprintf("%q is neither true nor false", text), ""}
	case kindInt:
		n, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 10, 64)
		if err != nil || strings.HasPrefix(text, "+-") {
			return 0, &fault{fmt.Sprintf("%q is not a whole number", text), ""}
		}
		return float64(n), nil
	case kindFloat:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, &fault{fmt.Sprintf("%q is not a number", text), ""}
		}
		return n, nil
	case kindDuration:
		d, ok := parseDuration(text)
		if !ok {
			return 0, &fault{fmt.Sprintf("%q is not a duration", text), "write it as 200ms, 30s, 5m, 1h30m or 7d"}
		}
		return float64(d), nil
	case kindBytes:
		n, ok := parseBytes(text)
		if !ok {
			return 0, &fault{fmt.Sprintf("%q is not a size", text), "write it in bytes or as 64KiB, 10MiB, 1GiB"}
		}
		return float64(n), nil
	default:
		n, err := catalogue.ParseUSD(text)
		if err != nil {
			return 0, &fault{err.Error(), ""}
		}
		return float64(n), nil
	}
}

// parseDuration reads Go's durations and days, which those do not have.
func parseDuration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

func parseBytes(s string) (int64, bool) {
	number := strings.TrimRight(s, "KMGTBikb ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	var unit int64
	switch strings.TrimSpace(s[len(number):]) {
	case "", "B":
		unit = 1
	case "kB", "KB":
		unit = 1e3
	case "MB":
		unit = 1e6
	case "GB":
		unit = 1e9
	case "TB":
		unit = 1e12
	case "KiB":
		unit = 1 << 10
	case "MiB":
		unit = 1 << 20
	case "GiB":
		unit = 1 << 30
	case "TiB":
		unit = 1 << 40
	default:
		return 0, false
	}
	if n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// checkText checks allowed values and the form of a text.
func (f field) checkText(text string) *fault {
	if f.enum != nil {
		// An empty text stands for the default where the default is empty.
		if slices.Contains(f.enum, text) || text == "" && f.def == "" && f.kind != kindList {
			return nil
		}
		hint := didYouMean(text, f.enum)
		if hint == "" {
			hint = "it must be " + oneOf(f.enum)
		}
		return &fault{fmt.Sprintf("%q is not a possible value", text), hint}
	}
	switch f.format {
	case "filled":
		if strings.TrimSpace(text) == "" {
			return &fault{"must not be empty", ""}
		}
	case "address":
		return checkAddress(text, f.def == "")
	case "url":
		return checkURL(text)
	case "origin":
		return checkOrigin(text)
	case "name":
		if !validProviderName(text) {
			return &fault{fmt.Sprintf("%q is not a name for a provider", text), "use lower-case letters, digits, dots, dashes and underscores, at most 64, a letter or digit first"}
		}
	case "header":
		if !regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$`).MatchString(text) {
			return &fault{fmt.Sprintf("%q is not the name of a header", text), ""}
		}
	}
	return nil
}

func checkAddress(text string, mayBeEmpty bool) *fault {
	if text == "" && mayBeEmpty {
		return nil
	}
	const form = "write it as host:port, such as 127.0.0.1:8420 or :8420"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return &fault{fmt.Sprintf("%q is not an address", text), form}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port != strconv.FormatUint(n, 10) {
		return &fault{fmt.Sprintf("%q is not a port", port), form}
	}
	if strings.ContainsAny(host, "/@ ") {
		return &fault{fmt.Sprintf("%q is not a host", host), form}
	}
	return nil
}

// Loopback reports whether an address is reachable from this machine alone.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func checkURL(text string) *fault {
	if text == "" {
		return nil
	}
	const form = "write it as https://host/path"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The parser's error repeats the whole text, which may hold a password.
		return &fault{"is not a URL", form}
	case u.User != nil:
		return &fault{"must not hold a user or a password", "use api_key or headers"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return &fault{fmt.Sprintf("%q is not an http or https URL", text), form}
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return &fault{"must not have a query or a fragment", form}
	}
	return nil
}

func checkOrigin(text string) *fault {
	if text == "*" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != text {
		return &fault{fmt.Sprintf("%q is not an origin", text), "write it as https://host or https://host:port, without a path"}
	}
	return nil
}

func validProviderName(s string) bool {
	if s == "" || len(s) > 64 || strings.ContainsRune("._-", rune(s[0])) {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

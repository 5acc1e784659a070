package schema

import (
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// looseNumber reads a number with a sign, currency, percent sign, thousands separators or a bare decimal point.
func looseNumber(s string) (value.Value, bool) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	s = strings.TrimFunc(s, func(r rune) bool { return strings.ContainsRune("$€£¥ \u00a0", r) })
	s = strings.Trim(strings.TrimPrefix(strings.TrimSuffix(s, "EUR"), "EUR"), " ")
	whole, fraction := s, ""
	comma, dot := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case dot > comma:
		whole, fraction = s[:dot], s[dot+1:]
		if !ungroup(&whole, ",") {
			return value.Value{}, false
		}
	case comma > dot && (dot >= 0 || len(s)-comma-1 != 3):
		whole, fraction = s[:comma], s[comma+1:]
		if !ungroup(&whole, ".") {
			return value.Value{}, false
		}
	case comma >= 0:
		if !ungroup(&whole, ",") {
			return value.Value{}, false
		}
	}
	if whole == "" {
		whole = "0"
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	text := whole
	if fraction != "" {
		text += "." + fraction
	}
	if negative {
		text = "-" + text
	}
	n, err := value.Number(text)
	return n, err == nil
}

// isGrouped reports whether a number is written with thousands separators that cannot be decimal points: 1,250.00 or 1.234.567, not 1,250.
func isGrouped(s string) bool {
	commas, dots := strings.Count(s, ","), strings.Count(s, ".")
	if strings.Trim(s, "0123456789.,-") != "" {
		return false
	}
	return commas > 0 && dots > 0 || commas > 1 || dots > 1
}

// ungroup takes separators out that stand before each three digits.
func ungroup(whole *string, separator string) bool {
	parts := strings.Split(*whole, separator)
	for i, part := range parts {
		if i > 0 && len(part) != 3 || i == 0 && len(parts) > 1 && (part == "" || len(part) > 3) {
			return false
		}
	}
	*whole = strings.Join(parts, "")
	return true
}

// dateReadings gives what a text may mean as date or date-time. Forms whose day and month could be exchanged give both, so that neither is
// taken, unless they are the same.
func dateReadings(format, s string, lenient bool) []value.Value {
	const longest = 60
	if len(s) > longest {
		return nil
	}
	switch format {
	case "date":
		if days := daysOf(s, lenient); len(days) > 0 {
			return days
		}
		if day, clock, ok := cutClock(s); ok && isDate(day) && (lenient || isMidnight(clock)) {
			return []value.Value{value.String(day)}
		}
	case "date-time":
		if day, clock, ok := cutClock(s); ok {
			clock = strings.ReplaceAll(strings.ReplaceAll(clock, " UTC", "Z"), " ", "")
			var list []value.Value
			days := daysOf(day, lenient)
			if isDate(day) {
				days = []value.Value{value.String(day)}
			}
			for _, d := range days {
				for _, c := range []string{clock, withSeconds(clock)} {
					if moment := d.Text() + "T" + c; isDateTime(moment) {
						list = append(list, value.String(moment))
						break
					}
				}
			}
			return list
		}
	}
	return nil
}

// withSeconds completes 09:30Z.
func withSeconds(clock string) string {
	const short = len("09:30")
	if len(clock) > short && clock[2] == ':' && clock[short] != ':' {
		return clock[:short] + ":00" + clock[short:]
	}
	return clock
}

func cutClock(s string) (day, clock string, ok bool) {
	const length = len("2006-01-02")
	if len(s) > length && (s[length] == ' ' || s[length] == 'T' || s[length] == 't') {
		return s[:length], s[length+1:], true
	}
	return "", "", false
}

func isMidnight(clock string) bool {
	return strings.HasPrefix(clock, "00:00:00") && strings.Trim(clock[len("00:00:00"):], "Z.0") == ""
}

// daysOf reads a day in forms other than ISO's.
func daysOf(s string, lenient bool) []value.Value {
	for _, layout := range []string{"2006/1/2", "2006.1.2", "20060102", "2006-1-2"} {
		if at, err := time.Parse(layout, s); err == nil {
			return []value.Value{isoDay(at)}
		}
	}
	spoken := strings.Join(strings.Fields(strings.NewReplacer(",", " ", ".", " ").Replace(withoutOrdinal(s))), " ")
	for _, layout := range []string{"2 January 2006", "January 2 2006", "2 Jan 2006", "Jan 2 2006", "Monday 2 January 2006", "Monday January 2 2006", "2-Jan-2006"} {
		if at, err := time.Parse(layout, spoken); err == nil {
			return []value.Value{isoDay(at)}
		}
	}
	var list []value.Value
	for _, separator := range []string{"/", "-", "."} {
		for _, layout := range []string{"2/1/2006", "1/2/2006"} {
			at, err := time.Parse(strings.ReplaceAll(layout, "/", separator), s)
			if err == nil {
				list = append(list, isoDay(at))
			}
			if err == nil && lenient && separator == "." {
				break // Dots are written day first.
			}
		}
	}
	if len(list) == 2 && value.Equal(list[0], list[1]) {
		list = list[:1]
	}
	return list
}

func isoDay(at time.Time) value.Value {
	return value.String(fmt.Sprintf("%04d-%02d-%02d", at.Year(), at.Month(), at.Day()))
}

// withoutOrdinal turns 3rd into 3.
func withoutOrdinal(s string) string {
	fields := strings.Fields(s)
	for i, f := range fields {
		bare := strings.TrimSuffix(f, ",")
		for _, suffix := range []string{"st", "nd", "rd", "th"} {
			if n, ok := strings.CutSuffix(bare, suffix); ok {
				if _, ok := decimal(n); ok {
					fields[i] = n
				}
			}
		}
	}
	return strings.Join(fields, " ")
}

package schema

// isDateTime is RFC 3339's date-time.
func isDateTime(s string) bool {
	const dateLength = len("2006-01-02")
	return len(s) > dateLength && isDate(s[:dateLength]) && (s[dateLength] == 'T' || s[dateLength] == 't') && isTime(s[dateLength+1:])
}

func isDate(s string) bool {
	if len(s) != len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return false
	}
	year, okY := decimal(s[:4])
	month, okM := decimal(s[5:7])
	day, okD := decimal(s[8:])
	return okY && okM && okD && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

func decimal(s string) (n int, ok bool) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// isTime is RFC 3339's full-time. A leap second is 23:59:60 in UTC.
func isTime(s string) bool {
	const clock = len("15:04:05")
	if len(s) <= clock || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, okH := decimal(s[:2])
	minute, okM := decimal(s[3:5])
	second, okS := decimal(s[6:clock])
	if !okH || !okM || !okS || hour > 23 || minute > 59 || second > 60 {
		return false
	}
	rest := s[clock:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	offset, ok := offsetMinutes(rest)
	if !ok {
		return false
	}
	const day = 24 * 60
	return second < 60 || (hour*60+minute-offset+day)%day == day-1
}

func offsetMinutes(s string) (int, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != len("+01:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, okH := decimal(s[1:3])
	minute, okM := decimal(s[4:])
	if !okH || !okM || hour > 23 || minute > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -(hour*60 + minute), true
	}
	return hour*60 + minute, true
}

// isDuration is RFC 3339's duration (appendix A): units in order and without gaps, or weeks alone.
func isDuration(s string) bool {
	if len(s) < 3 || s[0] != 'P' {
		return false
	}
	s = s[1:]
	if rest, ok := units(s, "W"); ok && rest == "" {
		return true
	}
	rest, any := units(s, "YMD")
	if rest == "" {
		return any
	}
	if rest[0] != 'T' {
		return false
	}
	rest, any = units(rest[1:], "HMS")
	return any && rest == ""
}

// units takes numbers with the letters in order, each letter following its neighbour.
func units(s, letters string) (rest string, any bool) {
	for s != "" {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		if n == 0 || n == len(s) {
			return s, any
		}
		at := -1
		for i := range len(letters) {
			if letters[i] == s[n] {
				at = i
			}
		}
		if at < 0 || any && at > 0 {
			return s, any
		}
		letters, s, any = letters[at+1:], s[n+1:], true
	}
	return s, any
}

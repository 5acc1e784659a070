package schema

import "strings"

// isIBAN is ISO 13616 in the electronic form: country, check digits, account, without spaces; length by country where it is known. The
// remainder alone would let pass 00, 01 and 99, which nobody computes: check digits are 98 less a remainder of 97.
func isIBAN(s string) bool {
	const shortest, longest = 15, 34
	if len(s) < shortest || len(s) > longest {
		return false
	}
	remainder := 0
	rotated := s[4:] + s[:4]
	for i := range len(rotated) {
		switch c := rotated[i]; {
		case isDigit(c):
			remainder = (remainder*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			remainder = (remainder*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	if !isUpper(s[0]) || !isUpper(s[1]) || !isDigit(s[2]) || !isDigit(s[3]) || remainder != 1 {
		return false
	}
	if check := s[2:4]; check < "02" || check > "98" {
		return false
	}
	// Country and length, one after the other.
	const lengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18" +
		"GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23" +
		"PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"
	for i := 0; i < len(lengths); i += 4 {
		if lengths[i:i+2] == s[:2] {
			n, _ := decimal(lengths[i+2 : i+4])
			return len(s) == n
		}
	}
	return true
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isLuhn is a number of at least two digits whose last one is its check digit (ISO/IEC 7812-1, annex B).
func isLuhn(s string) bool {
	if len(s) < 2 {
		return false
	}
	sum := 0
	for i := range len(s) {
		c := s[len(s)-1-i]
		if !isDigit(c) {
			return false
		}
		d := int(c - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// isE164 is an international telephone number: a plus, no leading zero, at most fifteen digits.
func isE164(s string) bool {
	const most = 16
	if len(s) < 3 || len(s) > most || s[0] != '+' || s[1] == '0' {
		return false
	}
	_, ok := decimal(s[1:])
	return ok
}

// isISO4217 is the code of a currency or fund in use.
func isISO4217(s string) bool {
	const codes = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY " +
		"COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK " +
		"JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD " +
		"NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB " +
		"TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF " +
		"XPT XSU XTS XUA XXX YER ZAR ZMW ZWG "
	if len(s) != 3 {
		return false
	}
	i := strings.Index(codes, s+" ")
	return i >= 0 && i%4 == 0
}

// isBCP47 is a well-formed language tag (RFC 5646, section 2.1); the registry is not asked.
func isBCP47(s string) bool {
	tags := strings.Split(s, "-")
	for i, tag := range tags {
		if tag == "" || len(tag) > 8 || strings.IndexFunc(tag, func(r rune) bool { return r >= 0x80 || !isDigit(byte(r)) && !isLetter(byte(r)) }) >= 0 {
			return false
		}
		tags[i] = strings.ToLower(tag)
	}
	if tags[0] == "x" {
		return len(tags) > 1
	}
	switch strings.Join(tags, "-") {
	case "en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo", "i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu",
		"sgn-be-fr", "sgn-be-nl", "sgn-ch-de":
		return true // Irregular ones of earlier days, which the RFC lists.
	}
	if !letters(tags[0]) || len(tags[0]) < 2 {
		return false
	}
	rest := tags[1:]
	for n := 0; n < 3 && len(tags[0]) <= 3 && len(rest) > 0 && len(rest[0]) == 3 && letters(rest[0]); n++ {
		rest = rest[1:]
	}
	if len(rest) > 0 && len(rest[0]) == 4 && letters(rest[0]) {
		rest = rest[1:]
	}
	if len(rest) > 0 && (len(rest[0]) == 2 && letters(rest[0]) || len(rest[0]) == 3 && isDigit(rest[0][0]) && isDigit(rest[0][1]) && isDigit(rest[0][2])) {
		rest = rest[1:]
	}
	return variantsAndExtensions(rest)
}

func variantsAndExtensions(rest []string) bool {
	seen := map[string]bool{}
	for len(rest) > 0 && (len(rest[0]) >= 5 || len(rest[0]) == 4 && isDigit(rest[0][0])) {
		if seen[rest[0]] {
			return false
		}
		seen[rest[0]] = true
		rest = rest[1:]
	}
	for len(rest) > 0 {
		single := rest[0]
		if len(single) != 1 || seen[single] {
			return false
		}
		if single == "x" {
			return len(rest) > 1
		}
		seen[single] = true
		n := 1
		for n < len(rest) && len(rest[n]) >= 2 {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	return true
}

func letters(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return false
		}
	}
	return true
}

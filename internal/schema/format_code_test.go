package schema

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
)

// Each format both ways: what the standards give as right, and the nearest wrong texts.
func TestFormatsOfCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format       string
		right, wrong []string
	}{
		{
			"iban",
			[]string{
				"GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947", "MT84MALT011000012345MTLCAST001S", "LC55HEMM000100010012001200023015",
				"HN88CABF00000000000250005469", "XK051212012345678906", "FR1420041010050500013M02606", "BR1800360305000010009795493C1",
			},
			[]string{
				"", "DE", "DE89370400440532013001", "DE8937040044053201300", "DE893704004405320130000", "de89370400440532013000", "DE89 3704 0044 0532 0130 00",
				"DE89-3704-0044-0532-0130-00", "ED89370400440532013000", "D189370400440532013000", "DEX9370400440532013000", "NO93860111179", "GB82WEST1234569876543２",
				"DE89370400440532013000\n", " DE89370400440532013000", "HN88CABF0000000000025000546",
				// The remainder is 1, but check digits are 02 to 98.
				congruentIBAN("NO", "00000000097", "00"), congruentIBAN("NO", "00000000097", "01"), congruentIBAN("NO", "00000000097", "99"),
			},
		},
		{
			"luhn",
			[]string{"4111111111111111", "79927398713", "378282246310005", "18", "00", "30569309025904", "490154203237518"},
			[]string{"", "0", "5", "4111111111111112", "79927398710", "4111 1111 1111 1111", "4111-1111-1111-1111", "41111111111111１1", "-18", "4111111111111111x", "1.8"},
		},
		{
			"e164",
			[]string{"+4930123456", "+14155552671", "+123456789012345", "+6834000", "+12"},
			[]string{"", "+", "+1", "4930123456", "004930123456", "+0123456", "+1234567890123456", "+49 30 123456", "+49-30-123456", "+49(30)123456", "+4930123456x", "++4930", "+４930123456"},
		},
		{
			"iso4217",
			[]string{"EUR", "USD", "JPY", "CHF", "XAU", "XXX", "XTS", "ZWG", "XCG", "VED", "SLE", "AED", "UYW"},
			[]string{"", "eur", "Eur", "EU", "EURO", "€", "$", "ABC", "ZZZ", "DEM", "HRK", "SLL", "ANG", "EUR ", " EU", "UR ", "D A", "R S", "978"},
		},
		{
			"bcp47",
			[]string{
				"de", "de-CH", "de-CH-1996", "zh-Hant-TW", "zh-cmn-Hans-CN", "es-419", "sl-rozaj-biske", "sl-IT-nedis", "de-CH-x-phonebk", "x-whatever", "qaa-Qaaa-QM-x-southern",
				"en-US-u-islamcal", "zh-CN-a-myext-x-private", "en-a-myext-b-another", "EN-gb", "hy-Latn-IT-arevela", "sr-Latn-RS", "gsw", "ast",
				"i-klingon", "I-Navajo", "en-GB-oed", "sgn-BE-FR", "art-lojban", "zh-min-nan", "de-1901-1996", "und", "abcd", "abcdefgh", "de-x-a",
			},
			[]string{
				"", "d", "de-", "-de", "de--CH", "de_CH", "de-419-DE", "a-DE", "ar-a-aaa-b-bbb-a-ccc", "de-DE-1901-1901", "x", "de-x", "de-a", "de-a-x-b", "i-foo", "i-klingon-x", "abcdefghi",
				"deutsch-land-ist-schön", "de-CH-DE", "de CH", "1a", "de-12", "\u212ao", "de-DE-D", "en-GB-oed-x", "zh-abc-def-ghi-jkl",
			},
		},
	} {
		check, known := formatNamed(c.format, Draft202012)
		if !known {
			t.Errorf("%s is not known", c.format)
			continue
		}
		for _, s := range c.right {
			if !check(s) {
				t.Errorf("%s: %q is refused", c.format, s)
			}
		}
		for _, s := range c.wrong {
			if check(s) {
				t.Errorf("%s: %q passes", c.format, s)
			}
		}
	}
}

// congruentIBAN finds an account for which the check digits given leave the remainder 1.
func congruentIBAN(country, account, check string) string {
	for i := range 97 {
		digits := []byte(account)
		digits[0], digits[1] = byte('0'+i/10), byte('0'+i%10)
		remainder := 0
		for _, c := range string(digits) + country + check {
			if c >= 'A' {
				remainder = (remainder*100 + int(c-'A') + 10) % 97
			} else {
				remainder = (remainder*10 + int(c-'0')) % 97
			}
		}
		if remainder == 1 {
			return country + check + string(digits)
		}
	}
	return "there is none"
}

// The recognisers' own examples of accounts and cards, right and wrong, as people write them: with spaces and hyphens, which the formats do not take.
func TestFormatsOfCodesOnRecognisersExamples(t *testing.T) {
	t.Parallel()
	f, err := os.Open(sharedtest.Dir(t, "data", "pii", "recognizers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checks := map[string]func(string) bool{"IBAN_CODE": isIBAN, "CREDIT_CARD": isLuhn}
	compact := strings.NewReplacer(" ", "", "-", "")
	right, wrong := map[string]int{}, map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct {
			ID, Entity, Text string
			Spans            []struct{ Value string }
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		check, ok := checks[c.Entity]
		if !ok {
			continue
		}
		for _, span := range c.Spans {
			right[c.Entity]++
			if !check(compact.Replace(span.Value)) {
				t.Errorf("%s: %q is refused", c.ID, span.Value)
			}
			if strings.Contains(span.Value, " ") && check(span.Value) {
				t.Errorf("%s: %q passes with its spaces", c.ID, span.Value)
			}
		}
		// A wrong one whose spaces alone are wrong is right without them.
		if len(c.Spans) == 0 {
			wrong[c.Entity]++
			if check(c.Text) {
				t.Errorf("%s: %q passes", c.ID, c.Text)
			}
			if s := compact.Replace(c.Text); check(s) && s != "GT82TRAJ01020000001210029690" {
				t.Errorf("%s: %q passes without its spaces", c.ID, c.Text)
			}
		}
	}
	t.Logf("right %v, wrong %v", right, wrong)
	if right["IBAN_CODE"] == 0 || wrong["IBAN_CODE"] == 0 || right["CREDIT_CARD"] == 0 || wrong["CREDIT_CARD"] == 0 {
		t.Error("the file shows nothing")
	}
}

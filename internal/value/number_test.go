package value_test

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

func number(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.Number(text)
	if err != nil {
		t.Fatalf("Number(%q): %v", text, err)
	}
	return v
}

func TestNumberIsOneJSONNumber(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "-0", "1", "-1.50", "1e5", "1E-400", "1.5e+400", strings.Repeat("9", 128)} {
		if v := number(t, text); v.Text() != text || v.Kind() != value.KindNumber || v.String() != text {
			t.Errorf("Number(%q) is %s", text, v)
		}
	}
	for _, text := range []string{"", " 1", "1 ", "01", "+1", "-", ".5", "5.", "1e", "1e+", "NaN", "Infinity", "0x10", "1_000", "1,5", "1e401", "1e-401", strings.Repeat("9", 129), "½", "१"} {
		if v, err := value.Number(text); err == nil {
			t.Errorf("Number(%q) is %s", text, v)
		}
	}
}

func TestFloatReadsBackAsTheSameDouble(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{0, 1, -1.5, 0.1, 1e21, 1e-7, 123456789.125, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, math.Pi} {
		v := value.Float(f)
		back, err := strconv.ParseFloat(v.Text(), 64)
		if err != nil || back != f {
			t.Errorf("Float(%g) is %s, read back %g, %v", f, v, back, err)
		}
		if _, err := value.Number(v.Text()); err != nil {
			t.Errorf("Float(%g) is %s, which is no number within the bounds: %v", f, v, err)
		}
	}
	if got := value.Float(0.98).Text(); got != "0.98" {
		t.Errorf("Float(0.98) is %s", got)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, canonical string
		integer         bool
		sign            int
		n               int64
		fits            bool
	}{
		{"0", "0", true, 0, 0, true},
		{"-0.000e5", "0", true, 0, 0, true},
		{"5", "5", true, 1, 5, true},
		{"5.0", "5", true, 1, 5, true},
		{"0.5e1", "5", true, 1, 5, true},
		{"500e-2", "5", true, 1, 5, true},
		{"-5e2", "-500", true, -1, -500, true},
		{"0.5", "0.5", false, 1, 0, false},
		{"-0.050", "-0.05", false, -1, 0, false},
		{"12.340", "12.34", false, 1, 0, false},
		{"1234e-2", "12.34", false, 1, 0, false},
		{"9223372036854775807", "9223372036854775807", true, 1, math.MaxInt64, true},
		{"9223372036854775808", "9223372036854775808", true, 1, 0, false},
		{"-9223372036854775808", "-9223372036854775808", true, -1, math.MinInt64, true},
		{"-9223372036854775809", "-9223372036854775809", true, -1, 0, false},
		{"18446744073709551616", "18446744073709551616", true, 1, 0, false},
		{"99999999999999999999", "99999999999999999999", true, 1, 0, false},
		{"1e18", "1000000000000000000", true, 1, 1e18, true},
		{"1e19", "10000000000000000000", true, 1, 0, false},
		{"1e300", "1e300", true, 1, 0, false},
		{"0.001e300", "1e297", true, 1, 0, false},
		{"1.25e-300", "1.25e-300", false, 1, 0, false},
		{"100000000000000000000000000000000000000000", "1e41", true, 1, 0, false},
		{"1234567890123456789012345678901234567890.5", "1234567890123456789012345678901234567890.5", false, 1, 0, false},
	} {
		d := number(t, c.text).Decimal()
		n, fits := d.Int64()
		if d.String() != c.canonical || d.IsInteger() != c.integer || d.Sign() != c.sign || d.IsZero() != (c.sign == 0) || n != c.n || fits != c.fits {
			t.Errorf("%s: %s integer %v sign %d int64 %d %v", c.text, d, d.IsInteger(), d.Sign(), n, fits)
		}
	}
	if d := value.String("12").Decimal(); !d.IsZero() {
		t.Errorf("a string has the decimal %s", d)
	}
}

// texts draws numbers as JSON writes them, with neighbours that differ little.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?`).Draw(t, "digits")
		if rapid.Bool().Draw(t, "exponent") {
			text += rapid.SampledFrom([]string{"e", "E", "e+", "e-", "E-"}).Draw(t, "sign") + strconv.Itoa(rapid.IntRange(0, 60).Draw(t, "n"))
		}
		return text
	})
}

func rational(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no rational: " + text)
	}
	return r
}

func TestDecimalAgreesWithRationals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts().Draw(t, "a"), texts().Draw(t, "b")
		if rapid.IntRange(0, 3).Draw(t, "alike") == 0 { // Two spellings of one number.
			b = respelled(t, a)
		}
		va, err := value.Number(a)
		if err != nil {
			t.Fatal(err)
		}
		vb, err := value.Number(b)
		if err != nil {
			t.Fatal(err)
		}
		da, db, ra, rb := va.Decimal(), vb.Decimal(), rational(a), rational(b)
		if got, want := da.Compare(db), ra.Cmp(rb); got != want || db.Compare(da) != -want {
			t.Fatalf("Compare(%s, %s) = %d and %d, want %d", a, b, got, db.Compare(da), want)
		}
		if da.Rat().Cmp(ra) != 0 {
			t.Fatalf("Rat(%s) = %s", a, da.Rat())
		}
		if da.IsInteger() != ra.IsInt() || da.Sign() != ra.Sign() {
			t.Fatalf("%s: integer %v, sign %d", a, da.IsInteger(), da.Sign())
		}
		n, ok := da.Int64()
		if want := ra.IsInt() && ra.Num().IsInt64(); ok != want || ok && n != ra.Num().Int64() {
			t.Fatalf("Int64(%s) = %d, %v", a, n, ok)
		}
		if rational(da.String()).Cmp(ra) != 0 {
			t.Fatalf("String(%s) = %s", a, da)
		}
		if same := ra.Cmp(rb) == 0; (da.String() == db.String()) != same || value.Equal(va, vb) != same {
			t.Fatalf("%s and %s: canonical %s and %s, equal %v", a, b, da, db, value.Equal(va, vb))
		}
	})
}

// respelled writes the same number in another way.
func respelled(t *rapid.T, text string) string {
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		exponent, _ = strconv.Atoi(text[i+1:])
	}
	if !strings.Contains(mantissa, ".") {
		mantissa += "."
	}
	mantissa += strings.Repeat("0", rapid.IntRange(1, 5).Draw(t, "zeros"))
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if rapid.Bool().Draw(t, "shift") { // One digit over the point: 12.3 is 123.e-1.
		whole += fraction[:1]
		fraction = fraction[1:] + "0"
		exponent--
	}
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	return sign + whole + "." + fraction + "e" + strconv.Itoa(exponent)
}

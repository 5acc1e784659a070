package schema

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/promptd/promptd/internal/value"
)

// What the evaluator compares within its budget is what package value compares, and equal values have the same hash.
func TestEqualWithinTheBudgetIsEquality(t *testing.T) {
	t.Parallel()
	s := compile(t, `{}`)
	tr := s.trial(context.Background(), 1<<40)
	defer s.release(tr)
	numbers := []string{
		"0", "-0", "0.0", "0e5", "1", "1.0", "1e0", "10e-1", "0.1e1", "100", "1e2", "1.00E+2", "0.01", "1e-2", "0.010", "-1", "-1.0", "10", "101", "1001", "1.01", "10.10", "10.1", "1e400", "10e399", "9007199254740993", "9007199254740992",
		"0.1", "0.10000000000000000001", "123.4500", "1234500e-4", "0.00001e5",
	}
	var values []value.Value
	for _, text := range numbers {
		values = append(values, decode(t, text))
	}
	r := rand.New(rand.NewPCG(9, 9))
	d := &drawn{r: r}
	for range 600 {
		v := decode(t, d.value(0))
		values = append(values, v, mutate(r, v))
	}
	for _, text := range []string{`{"a":1,"b":[2.0]}`, `{"b":[2],"a":1.0}`, `{` + manyMembers(40) + `}`, `{"m39":39,` + manyMembers(39) + `}`, `{"m40":39,` + manyMembers(39) + `}`, `null`, `false`, `true`, `"1"`, `""`, `[]`, `{}`} {
		values = append(values, decode(t, text))
	}
	same := 0
	for i, a := range values {
		for j, b := range values {
			want := value.Equal(a, b)
			if got := tr.equal(a, b); got != want {
				t.Fatalf("%s and %s: equal is %v, want %v", a, b, got, want)
			}
			if want && tr.hash(a) != tr.hash(b) {
				t.Fatalf("%s and %s are equal and have different hashes", a, b)
			}
			if want && i != j {
				same++
			}
		}
	}
	if same < 1000 {
		t.Errorf("only %d pairs are equal", same)
	}
	// Different numbers mostly have different hashes: else a table of them is a list.
	sums := map[uint64]bool{}
	const many = 20_000
	for i := range many {
		sums[tr.hash(value.Int(int64(i)*10))] = true
	}
	if len(sums) < many*99/100 {
		t.Errorf("%d numbers have %d hashes", many, len(sums))
	}
}

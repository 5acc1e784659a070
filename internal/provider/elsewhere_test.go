package provider

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// handOut gives a limit away one by one, to each in turn that wants more; the first wants without end.
func handOut(limit int, wanted []int) (first int) {
	got := make([]int, len(wanted))
	for given := 0; given < limit; {
		first++
		given++
		for i, w := range wanted {
			if got[i] < w && given < limit {
				got[i]++
				given++
			}
		}
	}
	return first
}

func TestAFairPartIsWhatIsHandedOutInTurn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 300).Draw(t, "limit")
		wanted := rapid.SliceOfN(rapid.IntRange(1, 100), 0, 12).Draw(t, "wanted")
		slices.Sort(wanted)
		if got, want := fair(limit, wanted), handOut(limit, wanted); got != want {
			t.Fatalf("of %d beside others that want %v: got %d, want %d", limit, wanted, got, want)
		}
	})
}

func TestSlotsAreSharedWithinTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most    int
		others  []AccountNotice
		want    int
		because string
	}{
		{10, nil, 10, "nobody else is there"},
		{10, []AccountNotice{{Inside: 4}}, 6, "the other wants no more"},
		{10, []AccountNotice{{Inside: 4, Waiting: 20}}, 5, "both want more than there is"},
		{10, []AccountNotice{{Inside: 8, Waiting: 20}}, 2, "the other has more than its part, which it gives up as its calls end"},
		{10, []AccountNotice{{Inside: 10, Waiting: 20}}, 1, "nobody starves"},
		{10, []AccountNotice{{Inside: 1}, {Inside: 2}}, 7, "small wants are met"},
		{10, []AccountNotice{{Inside: 3, Limit: 6}}, 3, "the service was found to take six"},
		{10, []AccountNotice{{Inside: -5, Waiting: -5, Limit: -1}}, 10, "what makes no sense is none"},
	} {
		s := newSlots(c.most)
		s.hear(c.others)
		if got := s.bound(); got != c.want {
			t.Errorf("of %d beside %+v: got %d, want %d: %s", c.most, c.others, got, c.want, c.because)
		}
	}
}

package cli

import "testing"

func TestLittleInUseIsCollectedLessOften(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		live uint64
		want int64
	}{
		{0, mostGrowth},
		{1 * mib, mostGrowth},
		{16 * mib, 400},
		{32 * mib, 200},
		{64 * mib, usualGrowth},
		{1024 * mib, usualGrowth},
	} {
		if got := growthFor(c.live); got != c.want {
			t.Errorf("with %d MiB in use: got a growth of %d %%, want %d %%", c.live/mib, got, c.want)
		}
	}
}

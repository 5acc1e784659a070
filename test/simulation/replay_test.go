package simulation

import "testing"

// TestASeedIsAHistory runs seeds twice: nearly all give the same to the nanosecond. What is left to the runtime is the order of goroutines that become ready at the same instant.
func TestASeedIsAHistory(t *testing.T) {
	t.Parallel()
	const seeds = 40
	kit, same := readTexts(t), 0
	for seed := range uint64(seeds) {
		a, _ := simulate(t, kit, seed, nil)
		b, _ := simulate(t, kit, seed, nil)
		if a.String() == b.String() {
			same++
		}
	}
	if t.Logf("%d of %d histories came out the same", same, seeds); same < seeds/2 {
		t.Errorf("%d of %d seeds gave the same history twice, want most", same, seeds)
	}
}

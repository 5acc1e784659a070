package job

import "testing"

// A claim is filled by the class that it looks at first, where there is more than enough of each.
func TestEveryClassIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	c, first := &claims{}, map[Priority]int{}
	for range 10 * round {
		first[c.want(64).Classes[0]]++
	}
	if first[High] != 50 || first[Normal] != 20 || first[Low] != 10 {
		t.Errorf("first looked at are %v, want 50 times high, 20 normal, 10 low", first)
	}
}

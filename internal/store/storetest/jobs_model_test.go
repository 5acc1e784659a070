package storetest

import (
	"testing"
)

// The model keeps the promises too, so that what is compared with it is compared with them.
func TestTheModelKeepsThePromises(t *testing.T) {
	t.Parallel()
	for _, c := range jobContracts() {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			clock := &Clock{}
			clock.Set(start())
			c.run(t, Stores{Jobs: NewJobModel(clock.Now)}, clock)
		})
	}
}

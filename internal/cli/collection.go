package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// The bounds of what is collected when.
const (
	// leastGarbage is how much garbage there is before it is collected, in bytes. Of its own Go collects as soon as there is as much as is in use, which for a process
	// with ten megabytes in use is some twenty times a second under load, each time at the same cost.
	leastGarbage = 64 << 20
	// usualGrowth is Go's own, in percent of what is in use; it holds where more than leastGarbage is in use. mostGrowth bounds what is made of little.
	usualGrowth = 100
	mostGrowth  = 1000
)

// collectLess has garbage collected no sooner than there is leastGarbage of it, until stop is called. An operator who has set GOGC decides; a limit that GOMEMLIMIT sets
// holds with both. It is for the process as a whole, and so is for commands alone.
func collectLess() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	var c collection
	c.adjust()
	c.watch()
	return func() {
		c.stopped.Store(true)
		debug.SetGCPercent(usualGrowth)
	}
}

// collection adjusts when garbage is collected, each time that it was.
type collection struct {
	stopped atomic.Bool
	growth  atomic.Int64
}

// watch has adjust called after the next collection: what nobody holds any more is found by it.
func (c *collection) watch() {
	type tracer struct{ _ *byte } // With a pointer it is an allocation of its own, which no other keeps alive.
	runtime.AddCleanup(&tracer{new(byte)}, func(c *collection) {
		if c.stopped.Load() {
			return
		}
		c.adjust()
		c.watch()
	}, c)
}

// adjust sets when the next collection begins.
func (c *collection) adjust() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	growth := growthFor(sample[0].Value.Uint64())
	// Setting it stops the program for a moment: what changes little is left.
	if before := c.growth.Load(); growth*10 < before*9 || growth*10 > before*11 {
		c.growth.Store(growth)
		debug.SetGCPercent(int(growth))
	}
}

// growthFor gives the growth until the next collection for so many bytes in use, in percent.
func growthFor(live uint64) int64 {
	return int64(min(max(leastGarbage*100/max(live, 1), usualGrowth), mostGrowth)) //nolint:gosec // It is bounded.
}

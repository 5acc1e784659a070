package simulation

import "time"

// chance draws numbers from a seed and the names of what is drawn. Each draw has its own name, so that one that is made more or less often changes no other: a history that goes another way
// in one place stays the same elsewhere.
type chance uint64

// of narrows to a name.
func (c chance) of(parts ...uint64) chance {
	x := uint64(c)
	for _, p := range parts {
		x = mix(x ^ mix(p+0x9e3779b97f4a7c15))
	}
	return chance(x)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// float is from 0 to 1, without 1.
func (c chance) float() float64 { return float64(mix(uint64(c))>>11) / (1 << 53) }

// hit is true so often in 1.
func (c chance) hit(share float64) bool { return c.float() < share }

// n is from 0 to n-1.
func (c chance) n(n int) int { return int(mix(uint64(c)) % uint64(n)) } //nolint:gosec // It is below n.

// span is from one time to another.
func (c chance) span(from, to time.Duration) time.Duration {
	return from + time.Duration(c.float()*float64(to-from))
}

package delivery

import "time"

// The schedule of a target that does not take a message: full jitter under a ceiling that doubles from base to ceiling. Over a day these are about 22 attempts,
// half of them in the first three hours.
const (
	retryBase    = 10 * time.Second
	retryCeiling = 4 * time.Hour
)

// wait is the time until the next attempt after so many tries, of what remains until the message is given up. chance is from 0 to 1. asked is the target's
// Retry-After, which can make the wait longer and never more than the ceiling. The last attempt falls on the very end: a target that comes back within the time
// is told. More says whether there is a next one.
func wait(tries int, chance float64, asked, remains time.Duration) (d time.Duration, more bool) {
	if remains <= 0 {
		return 0, false
	}
	d = time.Duration(chance * float64(ceilingOf(tries)))
	return min(max(d, min(asked, retryCeiling)), remains), true
}

// ceilingOf is the most that the wait after so many tries is.
func ceilingOf(tries int) time.Duration {
	ceiling := retryBase
	for range min(max(tries, 1)-1, 64) {
		if ceiling *= 2; ceiling >= retryCeiling {
			return retryCeiling
		}
	}
	return ceiling
}

//go:build !race

package language

// raceEnabled says whether the race detector slows this build down.
const raceEnabled = false

//go:build !race

package observe

// raceDetector says that allocations can't be counted: pools forget on purpose.
const raceDetector = false

package prompt

import (
	"hash/crc32"
	"strconv"
	"strings"
)

const markerStart = "DATA-"

// fence puts the caller's text between two marker lines that do not occur in it. The marker is made of the text itself, so that the same prompt gives
// the same bytes, and a text that holds a marker gets another one.
func fence(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	if strings.Contains(s, markerStart) {
		for taken := markers(s); taken[sum]; {
			sum++
		}
	}
	marker := name(sum)
	var b strings.Builder
	b.Grow(len(s) + 2*len(marker) + 10)
	b.WriteString("<<<" + marker + "\n")
	b.WriteString(s)
	b.WriteString("\n" + marker + ">>>")
	return b.String()
}

func name(sum uint32) string { return markerStart + strconv.FormatUint(uint64(sum), 36) }

// markers are the numbers of all markers that stand in a text, found in one pass: a text may be made of nothing else. A marker is also the
// beginning of a longer one, so each beginning counts.
func markers(s string) map[uint32]bool {
	taken := map[uint32]bool{}
	for {
		_, rest, ok := strings.Cut(s, markerStart)
		if !ok {
			return taken
		}
		for n := 1; n <= len(rest); n++ {
			sum, err := strconv.ParseUint(rest[:n], 36, 32)
			if err != nil {
				break
			}
			taken[uint32(sum)] = true
		}
		s = rest
	}
}

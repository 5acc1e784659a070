package prompt

import (
	"hash/crc32"
	"strconv"
	"strings"
)

// fence puts the caller's text between two marker lines that do not occur in it. The marker is made of the text itself, so that the same prompt gives
// the same bytes, and a text that holds a marker gets another one.
func fence(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	marker := "DATA-" + strconv.FormatUint(uint64(sum), 36)
	for strings.Contains(s, marker) {
		sum++
		marker = "DATA-" + strconv.FormatUint(uint64(sum), 36)
	}
	var b strings.Builder
	b.Grow(len(s) + 2*len(marker) + 40)
	b.WriteString("<<<" + marker + "\n")
	b.WriteString(s)
	b.WriteString("\n" + marker + ">>>")
	return b.String()
}

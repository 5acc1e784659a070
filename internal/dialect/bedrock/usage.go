package bedrock

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// usage is the count of tokens as the service tells it: input without what the cache had or took, output with reasoning, which is not told apart.
type usage struct {
	input, cached, written, output int
	inputKnown, outputKnown        bool
}

func (u *usage) read(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if s.Kind() != '0' {
			continue
		}
		switch string(name) {
		case "inputTokens":
			u.input, u.inputKnown = s.Int(), true
		case "outputTokens":
			u.output, u.outputKnown = s.Int(), true
		case "cacheReadInputTokens":
			u.cached = s.Int()
		case "cacheWriteInputTokens":
			u.written = s.Int()
		}
	}
}

func (u *usage) total() dialect.Usage {
	if !u.inputKnown || !u.outputKnown { // Half of the counts would make half a cost.
		return dialect.Usage{}
	}
	return dialect.Usage{Input: u.input + u.cached + u.written, CachedInput: u.cached, CacheWrite: u.written, Output: u.output, Known: true}
}

package bedrock

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// usage is the count of tokens as the service tells it: input without what the cache had or took, output with reasoning, which is not told apart.
type usage struct {
	input, cached, written, long, output int
	inputKnown, outputKnown              bool
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
		if string(name) == "cacheDetails" {
			u.long = longWrites(s)
			continue
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

// longWrites counts what was put into the cache for an hour, of a list that tells it by time to live.
func longWrites(s *scan.Scanner) (sum int) {
	for more := s.Array(); more && s.Item(); {
		if !s.Object() {
			continue
		}
		tokens, long := 0, false
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch {
			case string(name) == "inputTokens" && s.Kind() == '0':
				tokens = s.Int()
			case string(name) == "ttl" && s.Kind() == '"':
				long = s.Text() == "1h"
			}
		}
		if long {
			sum += tokens
		}
	}
	return sum
}

func (u *usage) total() dialect.Usage {
	if !u.inputKnown || !u.outputKnown { // Half of the counts would make half a cost.
		return dialect.Usage{}
	}
	return dialect.Usage{
		Input: u.input + u.cached + u.written, CachedInput: u.cached, CacheWrite: u.written, LongCacheWrite: u.long, Output: u.output, Known: true,
	}
}

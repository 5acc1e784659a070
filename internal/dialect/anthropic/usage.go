package anthropic

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// usage is the count of tokens as the service tells it: input without what the cache had or took, output with reasoning. Iterations of several models
// are left out: the sums are the last one's.
type usage struct {
	input, cached, written, long, output, reasoning int
	inputKnown, outputKnown                         bool
}

// read takes the counts that are there. Those of a stream are sums so far, and not all of them come each time.
func (u *usage) read(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "output_tokens_details":
			member(s, "thinking_tokens", &u.reasoning)
			continue
		case "cache_creation": // What was written, by how long it is kept: five minutes, or an hour at a higher price.
			member(s, "ephemeral_1h_input_tokens", &u.long)
			continue
		}
		if s.Kind() != '0' {
			continue
		}
		switch string(name) {
		case "input_tokens":
			u.input, u.inputKnown = s.Int(), true
		case "output_tokens":
			u.output, u.outputKnown = s.Int(), true
		case "cache_read_input_tokens":
			u.cached = s.Int()
		case "cache_creation_input_tokens":
			u.written = s.Int()
		}
	}
}

// member reads one count of an object.
func member(s *scan.Scanner, wanted string, count *int) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) == wanted && s.Kind() == '0' {
			*count = s.Int()
		}
	}
}

func (u *usage) total() dialect.Usage {
	if !u.inputKnown || !u.outputKnown { // Half of the counts would make half a cost.
		return dialect.Usage{}
	}
	return dialect.Usage{
		Input: u.input + u.cached + u.written, CachedInput: u.cached, CacheWrite: u.written, LongCacheWrite: u.long,
		Output: u.output, Reasoning: u.reasoning, Known: true,
	}
}

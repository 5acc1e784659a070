package openai

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// readUsage reads the count of tokens in all its spellings. Where a service counts reasoning beside the completion instead of inside, it is added:
// it is billed as output. Both counts must be numbers, and not below nothing: half of them would make half a cost, and the rest of a total too much of one.
func readUsage(s *scan.Scanner, u *dialect.Usage) {
	if !s.Object() {
		return
	}
	var read dialect.Usage
	total, completion := 0, 0
	prompted, completed := false, false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		number := s.Kind() == '0'
		switch string(name) {
		case "prompt_tokens":
			read.Input, prompted = s.Int(), number
		case "completion_tokens":
			completion, completed = s.Int(), number
		case "total_tokens":
			total = s.Int()
		case "prompt_tokens_details":
			readDetails(s, &read)
		case "completion_tokens_details":
			readDetails(s, &read)
		case "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens": // DeepSeek, Mistral, some hosts of open models
			read.CachedInput = max(read.CachedInput, s.Int())
		case "cache_creation_input_tokens": // gateways
			read.CacheWrite = max(read.CacheWrite, s.Int())
		case "reasoning_tokens": // Perplexity
			read.Reasoning = max(read.Reasoning, s.Int())
		}
	}
	if !prompted || !completed || read.Input < 0 || completion < 0 {
		return
	}
	read.Output, read.Known = completion, true
	switch beside := total - read.Input - completion; {
	case beside > 0 && beside == read.Reasoning: // xAI: total = prompt + completion + reasoning
		read.Output += beside
	case beside > 0 && read.Reasoning == 0: // Gemini's OpenAI face names thoughts in the total alone
		read.Output += beside
		read.Reasoning = beside
	case read.Reasoning > completion: // Vercel's gateway leaves it out of both; its price counts it
		read.Output += read.Reasoning
	}
	*u = read
}

func readDetails(s *scan.Scanner, u *dialect.Usage) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "cached_tokens":
			u.CachedInput = max(u.CachedInput, s.Int())
		case "cache_write_tokens":
			u.CacheWrite = max(u.CacheWrite, s.Int())
		case "reasoning_tokens":
			u.Reasoning = max(u.Reasoning, s.Int())
		}
	}
}

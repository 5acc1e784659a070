package dropin

import (
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// Size is what a service may be asked to read and write by a request as it stands.
type Size struct {
	// Bytes are those of all texts, names and numbers; Files counts images and files that lie in the body.
	Bytes, Files int
	// Output are the tokens of all answers together that the request allows; 0 where it does not say.
	Output int
}

// Size measures the request's body. Images and files that the body refers to by an address or an id are counted by Images.
func (q *Request) Size() Size {
	var s Size
	s.measure(q.body)
	names := [...]string{"max_completion_tokens", "max_tokens"}
	if q.Format == dialect.Responses {
		names = [...]string{"max_output_tokens", "max_output_tokens"}
	}
	for _, name := range names {
		if n := whole(q.body, name); n > 0 {
			s.Output = n
			break
		}
	}
	if n := whole(q.body, "n"); n > 1 && s.Output <= mostOutput/n {
		s.Output *= n
	}
	return s
}

// mostOutput keeps products within reason.
const mostOutput = 1 << 40

func (s *Size) measure(v value.Value) {
	switch v.Kind() {
	case value.KindObject:
		for name, item := range v.Members() {
			s.Bytes += len(name)
			s.measure(item)
		}
	case value.KindArray:
		for _, item := range v.Items() {
			s.measure(item)
		}
	case value.KindString:
		if strings.HasPrefix(v.Text(), "data:") {
			s.Files++
			return
		}
		s.Bytes += len(v.Text())
	default:
		s.Bytes += len(v.Text())
	}
}

// whole reads a whole number; 0 where there is none, or one out of all bounds, which the service will refuse.
func whole(v value.Value, name string) int {
	item, ok := v.Get(name)
	if !ok || item.Kind() != value.KindNumber {
		return 0
	}
	n, err := strconv.Atoi(item.Text())
	if err != nil || n < 0 || n > mostOutput {
		return 0
	}
	return n
}

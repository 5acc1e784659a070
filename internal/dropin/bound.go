package dropin

import (
	"cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// Size is what a service may be asked to read and write by a request as it stands.
type Size struct {
	// Bytes are those of all texts, names and numbers. Images that lie in the body are left out; other files are in them.
	Bytes int
	// Files counts the parts of the turns that are no text: images and files, which lie in the body or are referred to by an address or an id.
	Files int
	// Output are the tokens of one answer that the request allows; 0 where it does not say.
	Output int
	// Answers is how many answers are asked for: at least one.
	Answers int
}

// Size measures the request's body.
func (q *Request) Size() Size {
	s := Size{Bytes: bytesOf(q.body), Answers: max(1, whole(q.body, "n"))}
	if q.Format == dialect.Responses {
		s.Output = whole(q.body, "max_output_tokens")
	} else { // Which of the two a service takes where both are there is its own affair.
		s.Output = max(whole(q.body, "max_tokens"), whole(q.body, "max_completion_tokens"))
	}
	q.attachments(func(part value.Value) {
		s.Files++
		if url := urlOf(part); prompt.IsImage(url) {
			s.Bytes -= len(url)
		}
	})
	return s
}

// Written bounds the tokens of all answers together, where each that is not bounded by the request has at most so many.
func (s Size) Written(otherwise int) int {
	one := cmp.Or(s.Output, otherwise)
	if one > mostOutput/s.Answers {
		return mostOutput
	}
	return one * s.Answers
}

// mostOutput keeps counts and their products within reason: nobody pays for so many tokens.
const mostOutput = 1 << 40

func bytesOf(v value.Value) (n int) {
	for name, item := range v.Members() {
		n += len(name) + bytesOf(item)
	}
	for _, item := range v.Items() {
		n += bytesOf(item)
	}
	return n + len(v.Text())
}

// attachments gives the parts of the turns that are no text to see. It reads tolerantly, as Texts does.
func (q *Request) attachments(see func(part value.Value)) {
	turns, _ := q.body.Get(messagesOf(q.Format))
	for _, turn := range turns.Items() {
		for _, name := range [...]string{"content", "output"} { // A tool's result may be an image.
			content, _ := turn.Get(name)
			if content.Kind() == value.KindObject && !isText(content) {
				see(content)
			}
			for _, part := range content.Items() {
				if part.Kind() == value.KindObject && !isText(part) {
					see(part)
				}
			}
		}
	}
}

// isText tells a part whose every token stands in it.
func isText(part value.Value) bool {
	kind, _ := part.Get("type")
	switch kind.Text() {
	case "text", "input_text", "output_text", "refusal":
		return true
	default:
		return false
	}
}

// isPicture tells a part that only a model that sees can read.
func isPicture(part value.Value) bool {
	kind, _ := part.Get("type")
	switch kind.Text() {
	case "image_url", "input_image", "computer_screenshot":
		return true
	default:
		return false
	}
}

// urlOf gives the address of an image part in either format; empty where it has none.
func urlOf(part value.Value) string {
	url, _ := part.Get("image_url")
	if url.Kind() == value.KindObject {
		url, _ = url.Get("url")
	}
	return url.Text()
}

// Images counts the image parts, wherever the images lie.
func (q *Request) Images() (n int) {
	if q.Form != Free {
		return q.Prompt.Images()
	}
	q.attachments(func(part value.Value) {
		if isPicture(part) {
			n++
		}
	})
	return n
}

// whole reads a whole number in any spelling, such as 5.0; one beyond reason is cut. It is 0 where there is none above nothing, which the service will refuse.
func whole(v value.Value, name string) int {
	item, _ := v.Get(name)
	if item.Kind() != value.KindNumber {
		return 0
	}
	d := item.Decimal()
	if d.Sign() <= 0 || !d.IsInteger() {
		return 0
	}
	n, ok := d.Int64()
	if !ok || n > mostOutput {
		return mostOutput
	}
	return int(n)
}

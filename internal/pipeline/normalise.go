package pipeline

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/prompt"
)

// normalise brings the caller's texts to Unicode NFC and takes out what can hide text in them.
type normalise struct{}

func (normalise) do(_ context.Context, x *exchange) (normalised, error) {
	n := normalised{exchange: x}
	if x.prompt.Messages == nil {
		x.prompt.Text = prompt.Normalise(x.prompt.Text).Text
		n.characters = utf8.RuneCountInString(x.prompt.Text)
		return n, nil
	}
	messages := slices.Clone(x.prompt.Messages) // The caller's own are left as they are.
	for i := range messages {
		parts := slices.Clone(messages[i].Parts)
		for j := range parts {
			parts[j].Text = prompt.Normalise(parts[j].Text).Text
			n.characters += utf8.RuneCountInString(parts[j].Text)
		}
		messages[i].Parts = parts
	}
	x.prompt.Messages = messages
	if x.prompt.Images() > 0 {
		n.characters = max(1, n.characters) // An image is something to read.
	}
	return n, nil
}

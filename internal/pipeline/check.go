package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
)

// check holds a normalised prompt to the limits of its caller.
type check struct{ settings func() Settings }

func (s check) do(_ context.Context, n normalised) (checked, error) {
	most := n.who.PromptChars
	if most == 0 {
		most = s.settings().PromptChars
	}
	characters, at := n.characters, "/prompt"
	switch {
	case n.dialogue != nil && n.prompt.Continues.Answers != nil:
		characters, at = n.dialogue.said(), "/answers" // What was said before was within the limit.
	case n.dialogue != nil:
		characters = n.dialogue.said()
	case n.prompt.Messages != nil:
		at = "/messages"
	}
	if err := prompt.Check(characters, most); err != nil {
		return checked{}, fault.Of(err).Moved(func(e *fault.Entry) { e.Pointer = at })
	}
	return checked{n.exchange}, nil
}

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
	if err := prompt.Check(n.characters, most); err != nil {
		if f := fault.Of(err); n.prompt.Messages != nil && len(f.Entries) > 0 {
			f.Entries[0].Pointer = "/messages"
		}
		return checked{}, err
	}
	return checked{n.exchange}, nil
}

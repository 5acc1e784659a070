package pipeline

import "github.com/promptd/promptd/internal/prompt"

// sourceOf gives the texts that an answer is taken from, for strings under x-extractive: the prompt, or what the user says in its messages,
// or a template's parameters hold, but neither instructions nor earlier answers. It is false beside images, whose words are not known: then nothing is held to the texts.
func sourceOf(p *prompt.Prompt) (texts []string, known bool) {
	if len(p.Messages) == 0 {
		return []string{p.Text}, true
	}
	for _, m := range p.Messages {
		for _, part := range m.Parts {
			if part.Image != "" {
				return nil, false
			}
			if m.Role == "user" || part.Pieces != nil {
				texts = append(texts, part.Said()...)
			}
		}
	}
	return texts, true
}

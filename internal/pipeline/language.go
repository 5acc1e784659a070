package pipeline

import (
	"context"
	"strings"
	"sync"

	"github.com/promptd/promptd/internal/language"
)

// detect tells the prompt's language beside the provider's call, not before it.
type detect struct{ detector *language.Detector }

// tongue is a detection under way.
type tongue struct {
	done  sync.WaitGroup
	guess language.Guess
}

func (s detect) begin(ctx context.Context, st *step, r resolved) *tongue {
	t := &tongue{}
	if !r.prompt.Options.LanguageDetection {
		return t
	}
	sample := r.prompt.Text
	switch {
	case r.prompt.Template != nil:
		texts, _ := sourceOf(&r.prompt)
		sample = strings.Join(texts, "\n")
	case sample == "":
		sample = userText(r)
	}
	t.done.Go(func() {
		t.guess, _ = do(ctx, st, func(context.Context, string) (language.Guess, error) { return s.detector.Detect(sample), nil }, sample)
	})
	return t
}

// wait gives the guess.
func (t *tongue) wait() language.Guess {
	t.done.Wait()
	return t.guess
}

func userText(r resolved) string {
	var b strings.Builder
	for _, m := range r.prompt.Messages {
		if m.Role != "user" {
			continue
		}
		for _, part := range m.Parts {
			b.WriteString(part.Text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

package pipeline

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/render"
)

// report makes the answer: the value rendered in the wanted format, with everything that explains it.
type report struct{ states states }

func (s report) do(_ context.Context, f found) (*Answer, error) {
	res := f.result
	a := &Answer{
		RequestID: f.id, ClientRequestID: f.prompt.ClientRequestID, Valid: res.valid, Data: res.data, Format: f.prompt.Format.String(),
		Validation: Validation{
			Repairs: res.repairs, Coercions: res.coercions, Reasks: res.reasks, Schema: schemaName(f.schema), Mode: res.mode,
		},
		ConfidenceSource: res.confidenceSource, Provider: res.provider, Model: res.model, Cached: f.hit, Coalesced: res.coalesced, CacheKey: f.key.String(),
	}
	if f.reference != "" {
		a.Validation.Schema = f.reference
	}
	if f.prompt.Template != nil {
		a.Template = f.prompt.Template.Ref
	}
	if !res.valid.OK() {
		state, err := s.states.seal(f.who.Team, f.next(time.Now()))
		if err != nil {
			return nil, err
		}
		a.Questions, a.State = res.questions, state
	} else if f.prompt.Format != render.JSON {
		a.Output = f.prompt.Format.Text(res.valid.Value())
	}
	if res.confidenceSource != "" {
		c := res.confidence
		a.Confidence = &c
	}
	if f.prompt.Options.LanguageDetection {
		guess := f.language
		a.Language = &guess
	}
	if !f.hit && !res.coalesced {
		a.Attempts, a.Usage, a.Cost = res.attempts, res.usage, res.cost
	}
	a.Processing = time.Since(f.started)
	a.Overhead = max(0, a.Processing-f.asked)
	return a, nil
}

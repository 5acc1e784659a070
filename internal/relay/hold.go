package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// admit holds a request to what its key allows, before anybody is asked. limits.prompt_chars is for texts that are validated: what is relayed is bounded by the body,
// unless the key has a limit of its own.
func (x *exchange) admit() error {
	if most := x.who.PromptChars; most > 0 {
		if n := utf8.RuneCountInString(x.said); n > most {
			return fault.Invalid("/messages", "limits.prompt_chars", fmt.Sprintf("the turns of the user have %d characters; this key allows %d (prompt_chars)", n, most),
				"Send a shorter conversation, or use a key with a higher prompt_chars.")
		}
	}
	return x.Check(dropin.Terms{Models: len(x.who.Models) > 0, Budget: x.who.HasBudget(), Paid: x.who.Pays()})
}

// open holds what a call may take. A request that does not bound its answer may have as much as the model can write.
func (r *Relay) open(ctx context.Context, x *exchange, c provider.Candidate) (pipeline.Payment, error) {
	if !x.who.Pays() {
		return pipeline.Payment{}, nil
	}
	const usual = 8192 // Of a model whose bound is not known; tokens per minute are settled at what it took.
	size := x.Size()
	if size.Output == 0 && c.Model.Capability.MaxOutput == 0 && x.who.HasBudget() {
		return pipeline.Payment{}, x.Unbounded(c.Name())
	}
	return r.deps.Purse.Open(ctx, x.who, c.Model, pipeline.Expected{
		Bytes: size.Bytes, Images: size.Files, Output: size.Written(cmp.Or(c.Model.Capability.MaxOutput, usual)),
	})
}

// reason gives what the caller is told of two candidates that failed, one after the other: the later, unless it could not even be asked for want of the format, which
// says less than what a service did or what the budget does not allow.
func reason(before, now error) error {
	var service *dialect.Error
	var unpaid *pipeline.Unpaid
	if fault.Is(now, fault.InvalidRequest) && !errors.As(now, &service) && (errors.As(before, &service) || errors.As(before, &unpaid)) {
		return before
	}
	return now
}

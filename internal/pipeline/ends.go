package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

// ended is the fault of a request without an answer: the last reason that says something, and who was asked.
func (t *series) ended(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return faultOf(ctx, fmt.Errorf("after %d attempts: %w", len(t.exchange.attempts), errors.Join(ctx.Err(), t.failed)))
	case t.failed == nil:
		return t.nobody()
	}
	if names := t.asked(); len(names) > 1 {
		f := *fault.Of(t.failed)
		f.Detail += fmt.Sprintf("; %d attempts at %s", len(t.exchange.attempts), strings.Join(names, ", "))
		return &f
	}
	return t.failed
}

// asked names the candidates that were asked, each once.
func (t *series) asked() []string {
	var names []string
	for i := range t.exchange.attempts {
		a := &t.exchange.attempts[i]
		if name := a.Provider + "/" + a.Model; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func refusal(stop dialect.Stop) error {
	if stop == dialect.StopFiltered {
		return fault.New(fault.ContentRefused, "the provider's content filter stopped the answer")
	}
	return fault.New(fault.ContentRefused, "the model declined to answer")
}

// providerFault makes the product's error of a provider's.
func providerFault(e *dialect.Error) error {
	f := fault.New(fault.ProviderError, "the last attempt ended as %s: %s", e.Outcome, provider.RuleOf(e.Outcome).Means).Because(e)
	switch e.Outcome {
	case dialect.Filtered, dialect.Refused:
		f.Code = fault.ContentRefused
		f.Detail = "the provider refused the content"
	case dialect.Unknown:
		if e.Status == http.StatusOK {
			f.Detail = "the provider ended its answer without saying that it is complete"
		}
	case dialect.Timeout:
		f.Code = fault.Timeout
		f.Detail = "the provider did not answer in time"
	case dialect.Auth:
		f.Remediation = "The provider refused its credentials or permissions: check its api_key and the model's name; promptd doctor shows both."
	case dialect.Quota:
		f.Remediation = "The account at the provider has no quota or credit left: settle it there, or configure another provider."
	case dialect.ContextExceeded, dialect.TooLarge:
		f.Remediation = "Send a shorter prompt or a smaller schema, or use a model with a larger context window."
	case dialect.RateLimited, dialect.OverloadedProvider:
		f.RetryAfter = e.Wait
	}
	return f
}

package dropin

import (
	"time"

	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/value"
)

// Ours is what promptd says of an answer beside what the format has room for.
type Ours struct {
	RequestID, ClientRequestID string
	Provider, Model            string
	// Validation is nil where nothing was judged.
	Validation           *pipeline.Validation
	Attempts             []provider.Attempt
	Cost                 provider.Cost
	Cached, Coalesced    bool
	CacheKey             string
	Confidence           *float64
	ConfidenceSource     string
	Language             string
	Processing, Overhead time.Duration
}

// OursOf is what an answer of the pipeline says.
func OursOf(a *pipeline.Answer) Ours {
	o := Ours{
		RequestID: a.RequestID, ClientRequestID: a.ClientRequestID, Provider: a.Provider, Model: a.Model, Validation: &a.Validation, Attempts: a.Attempts,
		Cost: a.Cost, Cached: a.Cached, Coalesced: a.Coalesced, CacheKey: a.CacheKey, Confidence: a.Confidence, ConfidenceSource: a.ConfidenceSource,
		Processing: a.Processing, Overhead: a.Overhead,
	}
	if a.Language != nil {
		o.Language = a.Language.Code
	}
	return o
}

// AppendOurs writes the object.
func AppendOurs(dst []byte, o Ours) []byte {
	dst = value.AppendQuoted(append(dst, `{"request_id":`...), o.RequestID)
	if o.ClientRequestID != "" {
		dst = value.AppendQuoted(append(dst, `,"client_request_id":`...), o.ClientRequestID)
	}
	dst = value.AppendQuoted(append(dst, `,"provider_used":`...), o.Provider)
	dst = value.AppendQuoted(append(dst, `,"model_used":`...), o.Model)
	if o.Validation != nil {
		dst = o.Validation.Append(append(dst, `,"validation_status":"passed","validation":`...))
		if o.Cached {
			dst = append(dst, `,"cached":true`...)
		}
		if o.Coalesced {
			dst = append(dst, `,"coalesced":true`...)
		}
		dst = value.AppendQuoted(append(dst, `,"cache_key":`...), o.CacheKey)
	}
	if o.Confidence != nil {
		dst = pipeline.AppendShare(append(dst, `,"confidence":`...), *o.Confidence)
		dst = value.AppendQuoted(append(dst, `,"confidence_source":`...), o.ConfidenceSource)
	}
	if o.Language != "" {
		dst = value.AppendQuoted(append(dst, `,"original_language":`...), o.Language)
	}
	dst = pipeline.AppendAttempts(append(dst, `,"attempts":`...), o.Attempts)
	dst = append(dst, `,"cost_usd":`...)
	if o.Cached || o.Coalesced {
		dst = append(dst, '0') // The request whose call it was has paid.
	} else {
		dst = o.Cost.Append(dst)
	}
	dst = provider.AppendMillis(append(dst, `,"processing_time_ms":`...), o.Processing)
	dst = provider.AppendMillis(append(dst, `,"overhead_ms":`...), o.Overhead)
	return append(dst, '}')
}

package pipeline

import (
	"strconv"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Append writes the answer as product.md section 3 shows it. It is written by hand: it runs once a request, and its parts are JSON already.
func (a *Answer) Append(dst []byte) []byte {
	dst = append(dst, `{"request_id":`...)
	dst = value.AppendQuoted(dst, a.RequestID)
	if a.ClientRequestID != "" {
		dst = append(dst, `,"client_request_id":`...)
		dst = value.AppendQuoted(dst, a.ClientRequestID)
	}
	dst = append(dst, `,"data":`...)
	dst = append(dst, a.Data...)
	dst = append(dst, `,"output_format":`...)
	dst = value.AppendQuoted(dst, a.Format)
	if a.Format != "json" && a.Valid.OK() {
		dst = append(dst, `,"output":`...)
		dst = value.AppendQuoted(dst, a.Output)
	}
	if a.Template != "" {
		dst = append(dst, `,"template":`...)
		dst = value.AppendQuoted(dst, a.Template)
	}
	dst = append(dst, `,"validation_status":`...)
	dst = value.AppendQuoted(dst, a.Status())
	if !a.Valid.OK() {
		dst = a.appendQuestions(dst)
	}
	dst = append(dst, `,"validation":`...)
	dst = a.Validation.Append(dst)
	dst = append(dst, `,"original_language":`...)
	if a.Language != nil {
		dst = value.AppendQuoted(dst, a.Language.Code)
		dst = append(dst, `,"language_confidence":`...)
		dst = appendShare(dst, a.Language.Confidence)
	} else {
		dst = append(dst, `null,"language_confidence":null`...)
	}
	dst = append(dst, `,"confidence":`...)
	if a.Confidence != nil {
		dst = appendShare(dst, *a.Confidence)
		dst = append(dst, `,"confidence_source":`...)
		dst = value.AppendQuoted(dst, a.ConfidenceSource)
	} else {
		dst = append(dst, `null,"confidence_source":null`...)
	}
	dst = append(dst, `,"provider_used":`...)
	dst = value.AppendQuoted(dst, a.Provider)
	dst = append(dst, `,"model_used":`...)
	dst = value.AppendQuoted(dst, a.Model)
	dst = append(dst, `,"attempts":`...)
	dst = AppendAttempts(dst, a.Attempts)
	dst = append(dst, `,"usage":`...)
	dst = appendUsage(dst, a.Usage)
	dst = append(dst, `,"cost_usd":`...)
	if a.Cached || a.Coalesced {
		dst = append(dst, '0') // The request whose call it was has paid.
	} else {
		dst = a.Cost.Append(dst)
	}
	dst = append(dst, `,"cached":`...)
	dst = strconv.AppendBool(dst, a.Cached)
	dst = append(dst, `,"coalesced":`...)
	dst = strconv.AppendBool(dst, a.Coalesced)
	dst = append(dst, `,"cache_key":`...)
	dst = value.AppendQuoted(dst, a.CacheKey)
	dst = append(dst, `,"processing_time_ms":`...)
	dst = provider.AppendMillis(dst, a.Processing)
	dst = append(dst, `,"overhead_ms":`...)
	dst = provider.AppendMillis(dst, a.Overhead)
	return append(dst, '}')
}

// appendQuestions writes what to ask the person, and what to go on with.
func (a *Answer) appendQuestions(dst []byte) []byte {
	dst = append(dst, `,"questions":[`...)
	for i, q := range a.Questions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = value.AppendQuoted(append(dst, `{"pointer":`...), q.Pointer)
		dst = append(value.AppendQuoted(append(dst, `,"question":`...), q.Text), '}')
	}
	dst = append(dst, `],"state":`...)
	if a.State == "" {
		return append(dst, `null`...)
	}
	return value.AppendQuoted(dst, a.State)
}

// mostRepairs bounds the repairs that a report shows: a model that ran away needs one in each line.
const mostRepairs = 50

// Append writes the report.
func (v *Validation) Append(dst []byte) []byte {
	dst = append(dst, `{"errors":`...)
	dst = AppendEntries(dst, v.Errors)
	if v.More > 0 {
		dst = append(dst, `,"more_errors":`...)
		dst = strconv.AppendInt(dst, int64(v.More), 10)
	}
	dst = append(dst, `,"repairs":`...)
	dst = appendRepairs(dst, v.Repairs[:min(len(v.Repairs), mostRepairs)])
	if more := len(v.Repairs) - mostRepairs; more > 0 {
		dst = append(dst, `,"more_repairs":`...)
		dst = strconv.AppendInt(dst, int64(more), 10)
	}
	dst = append(dst, `,"coercions":`...)
	dst = appendCoercions(dst, v.Coercions)
	dst = append(dst, `,"reasks":`...)
	dst = strconv.AppendInt(dst, int64(v.Reasks), 10)
	dst = append(dst, `,"schema":`...)
	dst = value.AppendQuoted(dst, v.Schema)
	dst = append(dst, `,"dialect_mode":`...)
	dst = value.AppendQuoted(dst, string(v.Mode))
	return append(dst, '}')
}

// AppendEntries writes the entries of a validation report.
func AppendEntries(dst []byte, entries []schema.Entry) []byte {
	dst = append(dst, '[')
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEntry(dst, &entries[i])
	}
	return append(dst, ']')
}

func appendEntry(dst []byte, e *schema.Entry) []byte {
	fields := [...]struct{ name, text string }{
		{"keyword", e.Keyword},
		{"pointer", e.Pointer},
		{"schema_pointer", e.SchemaPointer},
		{"expected", e.Expected},
		{"actual", e.Actual},
		{"message", e.Message},
		{"hint", e.Hint},
	}
	for i, f := range fields {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		dst = append(dst, separator)
		dst = value.AppendQuoted(dst, f.name)
		dst = append(dst, ':')
		dst = value.AppendQuoted(dst, f.text)
	}
	return append(dst, '}')
}

func appendRepairs(dst []byte, repairs []repair.Repair) []byte {
	dst = append(dst, '[')
	for i, r := range repairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"kind":`...)
		dst = value.AppendQuoted(dst, string(r.Kind))
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendInt(dst, int64(r.Offset), 10)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendCoercions(dst []byte, coercions []schema.Coercion) []byte {
	dst = append(dst, '[')
	for i, c := range coercions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"kind":`...)
		dst = value.AppendQuoted(dst, c.Kind)
		dst = append(dst, `,"pointer":`...)
		dst = value.AppendQuoted(dst, c.Pointer)
		dst = append(dst, `,"before":`...)
		dst = c.Before.Append(dst)
		dst = append(dst, `,"after":`...)
		dst = c.After.Append(dst)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendAttempts writes attempts[].
func AppendAttempts(dst []byte, attempts []provider.Attempt) []byte {
	dst = append(dst, '[')
	for i := range attempts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = attempts[i].Append(dst)
	}
	return append(dst, ']')
}

func appendUsage(dst []byte, u dialect.Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Input), 10)
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Output), 10)
	dst = append(dst, `,"cached_input_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.CachedInput), 10)
	return append(dst, '}')
}

// appendShare writes a number from 0 to 1 with four decimals at most.
func appendShare(dst []byte, f float64) []byte {
	const unit = 10_000
	return strconv.AppendFloat(dst, float64(int(f*unit+0.5))/unit, 'f', -1, 64)
}

// AppendDetails writes what a failure adds to its problem document: `,"validation":…` and so on, or nothing where no provider was asked.
func (f *Failure) AppendDetails(dst []byte) []byte {
	if f.Validation != nil {
		dst = append(dst, `,"validation_status":"failed","validation":`...)
		dst = f.Validation.Append(dst)
	}
	if len(f.Attempts) > 0 {
		dst = append(dst, `,"attempts":`...)
		dst = AppendAttempts(dst, f.Attempts)
		dst = append(dst, `,"usage":`...)
		dst = appendUsage(dst, f.Usage)
		dst = append(dst, `,"cost_usd":`...)
		dst = f.Cost.Append(dst)
	}
	return dst
}

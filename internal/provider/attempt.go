package provider

import (
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Attempt is the record of one call to one provider.
type Attempt struct {
	N         int
	Provider  string
	Model     string
	Mode      lowering.Mode
	Outcome   dialect.Outcome
	Status    int
	StartedAt time.Time
	// Queue is the wait for a free slot, FirstToken the time to the first piece of a streamed answer (0 where it came whole), Total the whole attempt.
	Queue, FirstToken, Total time.Duration
	Usage                    dialect.Usage
	Cost                     Cost
	// Error is the service's own error code; empty where there was none.
	Error string
	// Batch says that a batch API answered it, at its own price.
	Batch bool
	// Reason says why this candidate was asked, Skipped which ones were passed over before.
	Reason  string
	Skipped []Skipped

	reading time.Duration // what the reader of a streamed answer took of Total
}

// Skipped is a candidate that was passed over: provider/model, and why.
type Skipped struct{ Candidate, Why string }

// handOn gives a piece of a streamed answer to whoever reads it, and counts how long that took.
func (a *Attempt) handOn(give func() error) error {
	begun := time.Now()
	err := give()
	a.reading += time.Since(begun)
	return err
}

// Append writes the attempt as an entry of attempts[].
func (a *Attempt) Append(dst []byte) []byte {
	dst = append(dst, `{"n":`...)
	dst = strconv.AppendInt(dst, int64(a.N), 10)
	dst = append(dst, `,"provider":`...)
	dst = value.AppendQuoted(dst, a.Provider)
	dst = append(dst, `,"model":`...)
	dst = value.AppendQuoted(dst, a.Model)
	dst = append(dst, `,"mode":`...)
	dst = value.AppendQuoted(dst, string(a.Mode))
	dst = append(dst, `,"outcome":`...)
	dst = value.AppendQuoted(dst, a.Outcome.String())
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = append(dst, `,"started_at":"`...)
	dst = a.StartedAt.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","queue_ms":`...)
	dst = AppendMillis(dst, a.Queue)
	dst = append(dst, `,"first_token_ms":`...)
	if a.FirstToken > 0 {
		dst = AppendMillis(dst, a.FirstToken)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"total_ms":`...)
	dst = AppendMillis(dst, a.Total)
	dst = append(dst, `,"input_tokens":`...)
	dst = strconv.AppendInt(dst, int64(a.Usage.Input), 10)
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, int64(a.Usage.Output), 10)
	dst = append(dst, `,"cost_usd":`...)
	dst = a.Cost.Append(dst)
	if a.Batch {
		dst = append(dst, `,"batch":true`...)
	}
	if a.Error != "" {
		dst = append(dst, `,"error":`...)
		dst = value.AppendQuoted(dst, a.Error)
	}
	if a.Reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = value.AppendQuoted(dst, a.Reason)
	}
	if len(a.Skipped) > 0 {
		dst = appendSkipped(append(dst, `,"skipped":`...), a.Skipped)
	}
	return append(dst, '}')
}

func appendSkipped(dst []byte, list []Skipped) []byte {
	separator := byte('[')
	for _, s := range list {
		dst = append(append(dst, separator), `{"candidate":`...)
		dst = value.AppendQuoted(dst, s.Candidate)
		dst = append(dst, `,"why":`...)
		dst = value.AppendQuoted(dst, s.Why)
		dst = append(dst, '}')
		separator = ','
	}
	return append(dst, ']')
}

// AppendMillis writes a duration as milliseconds with three decimals at most.
func AppendMillis(dst []byte, d time.Duration) []byte {
	return appendFixed(dst, d.Microseconds(), 1000, 3)
}

// Append writes the cost in dollars, null where it is unknown.
func (c Cost) Append(dst []byte) []byte {
	if !c.Known {
		return append(dst, "null"...)
	}
	return appendFixed(dst, c.Nano, 1_000_000_000, 9)
}

// appendFixed writes n/unit exactly, without trailing zeros.
func appendFixed(dst []byte, n, unit int64, digits int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	dst = strconv.AppendInt(dst, n/unit, 10)
	rest := n % unit
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	at := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := at + digits - 1; i >= at; i-- {
		dst[i] = byte('0' + rest%10)
		rest /= 10
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

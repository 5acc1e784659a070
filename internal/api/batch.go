package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/value"
)

// BatchRequest is the body of POST /v1/analyze/batch.
type BatchRequest struct {
	Items   []BatchPrompt `json:"items" minItems:"1" maxItems:"100" doc:"The prompts. Each is answered by itself, side by side with the others."`
	Schema  wantedShape   `json:"schema,omitempty" doc:"The schema of the items that bring none."`
	Format  string        `json:"format,omitempty" enum:"json,xml,yaml,toon" default:"json" doc:"The format of the items that bring none."`
	Options Options       `json:"options,omitempty" doc:"Options of all items. An item's own win, field by field."`
	// Template has its parameters in the items.
	Template templateRefShape `json:"template,omitempty" doc:"The template of the items that bring parameters, and neither a text nor a template of their own."`
}

// BatchPrompt is one prompt of a batch: a request of /v1/analyze without stream, with a name.
type BatchPrompt struct {
	ID string `json:"id,omitempty" minLength:"1" maxLength:"128" doc:"Your name of the item, once in a batch. Items without one are counted from 0."`
	AnalyzeRequest
}

// BatchAnswer is the answer of POST /v1/analyze/batch.
type BatchAnswer struct {
	RequestID string       `json:"request_id"`
	Summary   BatchSummary `json:"summary"`
	Items     []BatchItem  `json:"items" doc:"What became of each item, in the order of the request."`
}

// BatchSummary counts a batch.
type BatchSummary struct {
	Total        int         `json:"total"`
	Passed       int         `json:"passed"`
	Failed       int         `json:"failed"`
	NeedsInput   int         `json:"needs_input" doc:"Items under options.missing: ask whose text does not say enough."`
	CostUSD      *float64    `json:"cost_usd" nullable:"true" doc:"What the whole batch cost; null where the cost of one item is not known."`
	ProcessingMS millisShape `json:"processing_time_ms"`
}

// BatchItem is what became of one item.
type BatchItem struct {
	ID     string   `json:"id"`
	Status string   `json:"status" enum:"passed,failed,needs_input"`
	Result *Answer  `json:"result,omitempty" doc:"Of an item that passed or needs input: the answer, as /v1/analyze gives it."`
	Error  *Problem `json:"error,omitempty" doc:"Of an item that failed: a problem document. Its pointers are into the body of the batch."`
}

// analyzeBatch is POST /v1/analyze/batch: up to 100 prompts, answered side by side. A batch of n counts n against the caller's limits.
func (s *Server) analyzeBatch(c *call) error {
	var err error
	if c.clientID, err = clientRequestID(c.r); err != nil {
		return err
	}
	name, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	raw, items, err := s.readBatch(c)
	admission, refused := s.deps.Pipeline.Admit(c.r.Context(), c.caller, max(1, len(items)))
	limitHeaders(c, admission)
	if refused != nil {
		return refused
	}
	if err != nil {
		return err
	}
	return c.once(name, raw, func(ctx context.Context) (idempotency.Response, error) {
		done, summary := s.deps.Pipeline.Batch(ctx, admission, items)
		if err := ctx.Err(); err != nil {
			return idempotency.Response{}, fault.New(fault.Timeout, "the caller went away before the answer").Because(err)
		}
		return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(c.appendBatch(nil, items, done, summary), '\n')}, nil
	})
}

func (s *Server) readBatch(c *call) (raw []byte, items []prompt.Item, err error) {
	if raw, err = c.raw(); err != nil {
		return nil, nil, err
	}
	v, err := body.Decode(raw)
	if err != nil {
		return nil, nil, err
	}
	if items, err = prompt.ReadBatch(v, s.deps.Settings().Defaults); err != nil {
		return nil, nil, err
	}
	for i := range items {
		items[i].Prompt.ClientRequestID = c.clientID
	}
	return raw, items, nil
}

// appendBatch writes the answer. It is by hand, as its parts are.
func (c *call) appendBatch(dst []byte, items []prompt.Item, done []pipeline.Done, s pipeline.Summary) []byte {
	dst = append(dst, `{"request_id":`...)
	dst = value.AppendQuoted(dst, c.id)
	if c.clientID != "" {
		dst = append(dst, `,"client_request_id":`...)
		dst = value.AppendQuoted(dst, c.clientID)
	}
	dst = append(dst, `,"summary":{"total":`...)
	dst = strconv.AppendInt(dst, int64(s.Total), 10)
	dst = append(dst, `,"passed":`...)
	dst = strconv.AppendInt(dst, int64(s.Passed), 10)
	dst = append(dst, `,"failed":`...)
	dst = strconv.AppendInt(dst, int64(s.Failed), 10)
	dst = append(dst, `,"needs_input":`...)
	dst = strconv.AppendInt(dst, int64(s.NeedsInput), 10)
	dst = append(dst, `,"cost_usd":`...)
	dst = s.Cost.Append(dst)
	dst = append(dst, `,"processing_time_ms":`...)
	dst = provider.AppendMillis(dst, s.Processing)
	dst = append(dst, `},"items":[`...)
	for i := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = value.AppendQuoted(dst, items[i].ID)
		dst = c.appendDone(dst, &done[i])
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

func (c *call) appendDone(dst []byte, d *pipeline.Done) []byte {
	if d.Err == nil {
		dst = value.AppendQuoted(append(dst, `,"status":`...), d.Answer.Status())
		return d.Answer.Append(append(dst, `,"result":`...))
	}
	one := &call{server: c.server, r: c.r, id: c.id, clientID: c.clientID}
	var failure *pipeline.Failure
	if errors.As(d.Err, &failure) {
		one.id = failure.RequestID // As the history knows it; an item that was never begun has the batch's.
	}
	return append(append(dst, `,"status":"failed","error":`...), one.document(one.known(d.Err), failure)...)
}

func docAnalyzeBatch() operation {
	headers := []string{"RateLimit", "RateLimit-Policy", "X-Request-ID", "Idempotent-Replayed"}
	return operation{
		id: "analyzeBatch", tag: "analyze", summary: "Turn up to 100 prompts into validated data",
		text: "The prompts are answered side by side; one that fails leaves the others alone, so the status is 200 as soon as the batch itself is in order. Schema, format and options " +
			"given beside `items` hold for the items that bring none of their own. A batch of n counts n against the limits of the key.",
		headers: []*huma.Param{{Ref: "#/components/parameters/RequestID"}},
		body: &input{of: reflect.TypeFor[BatchRequest](), examples: map[string]*huma.Example{
			"two texts, one schema": {Value: example(`{"items": [{"id": "a", "prompt": "Two coffees, please."}, {"id": "b", "prompt": "One tea, no milk."}],
				"schema": {"type": "object", "properties": {"item": {"type": "string"}, "count": {"type": "integer"}}, "required": ["item", "count"]}, "options": {"temperature": 0}}`)},
		}},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[BatchAnswer](), "What became of each item.", example(`{"request_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b5",
			"summary": {"total": 1, "passed": 1, "failed": 0, "needs_input": 0, "cost_usd": 0.000183, "processing_time_ms": 815.2}, "items": [{"id": "a", "status": "passed", "result": `+exampleAnswer+`}]}`)).with(headers...)},
		codes: []fault.Code{fault.RateLimitExceeded, fault.Timeout},
	}
}

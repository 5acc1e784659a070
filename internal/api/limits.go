package api

import (
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
)

// prompted is a request with one prompt that was let in: its admission, the name of its idempotency key, and its body.
type prompted struct {
	admission pipeline.Admission
	name      idempotency.Name
	raw       []byte
}

// admitPrompt takes a place for one prompt, which is given back when the request has been answered, counts it against the caller's limits, and reads it.
func (s *Server) admitPrompt(c *call) (p prompted, err error) {
	if c.leave, err = s.deps.Pipeline.Enter(c.r.Context(), c.caller); err != nil {
		return p, err
	}
	p.admission, err = s.deps.Pipeline.Admit(c.r.Context(), c.caller, 1)
	limitHeaders(c, p.admission)
	if err != nil {
		return p, err
	}
	if c.clientID, err = clientRequestID(c.r); err != nil {
		return p, err
	}
	if p.name, err = idempotencyKey(c); err != nil {
		return p, err
	}
	p.raw, err = c.raw()
	return p, err
}

// limitHeaders says what is left of the caller's limits. They stand on refusals too: those counted, or say why nothing counts any more.
func limitHeaders(c *call, a pipeline.Admission) {
	said := a.Policies()
	if len(said) == 0 {
		return // No limit, or a limiter in trouble that decided nothing.
	}
	h := c.w.Header()
	h["Ratelimit-Policy"] = []string{limit.PolicyHeader(said...)}
	h["Ratelimit"] = []string{limit.RemainingHeader(said...)}
}

package api

import (
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
)

// admitPrompt takes a place for one prompt, which is given back when the request has been answered, and counts it against the caller's limits.
func (s *Server) admitPrompt(c *call) (pipeline.Admission, error) {
	leave, err := s.deps.Pipeline.Enter(c.r.Context(), c.caller)
	if err != nil {
		return pipeline.Admission{}, err
	}
	c.leave = leave
	admission, err := s.deps.Pipeline.Admit(c.r.Context(), c.caller, 1)
	limitHeaders(c, admission)
	return admission, err
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

package pipeline

import (
	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/missing"
)

// forms keeps the forms of schemas: what can be missing is found once.
type forms struct {
	kept *otter.Cache[[32]byte, *missing.Form]
}

// mostForms bounds the forms that are kept; each holds a schema compiled anew.
const mostForms = 256

func newForms() *forms {
	return &forms{otter.Must(&otter.Options[[32]byte, *missing.Form]{MaximumSize: mostForms})}
}

// of gives the form of a schema; nil where nothing can be missing.
func (s *forms) of(sch *schema.Schema) (*missing.Form, error) {
	if f, ok := s.kept.GetIfPresent(sch.Hash()); ok {
		return f, nil
	}
	f, err := missing.New(sch.Sourceless())
	if err != nil {
		refused := fault.Invalid("/options/missing", "unsupported", "what this schema requires can't be asked for", "Leave options.missing out, or simplify the schema.")
		return nil, refused.Because(err)
	}
	s.kept.Set(sch.Hash(), f)
	return f, nil
}

// sent is the schema that answers are asked for by: the form, where there is one.
func (r *resolved) sent() *schema.Schema {
	if r.form != nil {
		return r.form.Schema()
	}
	return r.schema
}

package job

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// Callers gives the caller whose work was accepted under a key, as it is now, or the fault that ends its work.
type Callers interface {
	Accepted(ctx context.Context, id key.ID) (*key.Caller, error)
}

// Answerer is the part of the pipeline that does items.
type Answerer interface {
	Later(ctx context.Context, who *key.Caller, q prompt.Prompt) (*pipeline.Answer, error)
}

// PromptsConfig is what [Prompts] needs; Callers, Pipeline and Defaults are wanted.
type PromptsConfig struct {
	Callers  Callers
	Pipeline Answerer
	Defaults func() prompt.Defaults
	// Trace goes on with the trace of the submitting request; end is called with what became of the item. Nil where nobody traces.
	Trace func(ctx context.Context, traceparent string) (_ context.Context, end func(error))
}

// Prompts does items by the pipeline, the same way as a request that waits for its answer. It is safe for concurrent use.
type Prompts struct {
	cfg PromptsConfig

	// shared keeps what the items of a job have in common, read: so that it is read once a job and not once an item, and its schema is found by its identity.
	mu     sync.Mutex
	shared map[ID]value.Value
}

// mostShared bounds the jobs whose common part is kept; when it is reached all are forgotten.
const mostShared = 256

// NewPrompts makes it.
func NewPrompts(cfg PromptsConfig) *Prompts {
	if cfg.Trace == nil {
		cfg.Trace = func(ctx context.Context, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
	return &Prompts{cfg: cfg, shared: map[ID]value.Value{}}
}

// Task is an item that can be done: whose it is, and what is asked.
type Task struct {
	Who    *key.Caller
	Prompt prompt.Prompt

	item *prompt.Item // nil in a job that is no batch
}

// Placed moves the pointers of an error from the item to their places in the body of the batch.
func (t *Task) Placed(err error) error {
	if t.item == nil || err == nil {
		return err
	}
	var failure *pipeline.Failure
	if errors.As(err, &failure) {
		own := *failure // It may be shared with an identical request.
		own.Fault = fault.Of(t.item.Placed(failure.Fault))
		return &own
	}
	return t.item.Placed(err)
}

// Open reads an item, and finds its caller.
func (p *Prompts) Open(ctx context.Context, w *Work) (*Task, error) {
	who, err := p.caller(ctx, &w.Job)
	if err != nil {
		return nil, err
	}
	t := &Task{Who: who}
	whole, err := p.common(w)
	if err != nil {
		return nil, err
	}
	if !w.Job.Batch {
		t.Prompt, err = prompt.Read(whole, p.defaults())
		return t, err
	}
	own, err := body.Decode(w.Item.Request)
	if err != nil {
		return nil, err
	}
	item := prompt.ReadItem(own, whole, w.Item.N, p.defaults())
	t.Prompt, t.item = item.Prompt, &item
	return t, item.Fault
}

// Do does an item.
func (p *Prompts) Do(ctx context.Context, w *Work) (_ []byte, err error) {
	ctx, end := p.cfg.Trace(ctx, w.Job.Trace)
	defer func() { end(err) }()
	t, err := p.Open(ctx, w)
	if err != nil {
		return nil, err
	}
	a, err := p.cfg.Pipeline.Later(ctx, t.Who, t.Prompt)
	if err != nil {
		return nil, t.Placed(err)
	}
	return a.Append(make([]byte, 0, len(a.Data)+1024)), nil
}

func (p *Prompts) defaults() prompt.Defaults { return laterDefaults(p.cfg.Defaults()) }

// laterDefaults are those of work that nobody waits for: ten minutes for a prompt (product.md section 8).
func laterDefaults(d prompt.Defaults) prompt.Defaults {
	d.Timeout = prompt.MostTimeout
	return d
}

// caller gives the caller of a job. One without a key was accepted where none was wanted.
func (p *Prompts) caller(ctx context.Context, j *Job) (*key.Caller, error) {
	if j.Key == "" {
		who := key.Anyone()
		who.Team = j.Team
		return who, nil
	}
	who, err := p.cfg.Callers.Accepted(ctx, j.Key)
	if err == nil && who.Team != j.Team {
		return nil, fault.New(fault.Unauthorized, "the key %s belongs to another team than this job", j.Key)
	}
	return who, err
}

// common gives the job's request, read.
func (p *Prompts) common(w *Work) (value.Value, error) {
	if !w.Job.Batch {
		return decode(w.Job.Request)
	}
	p.mu.Lock()
	v, known := p.shared[w.Job.ID]
	p.mu.Unlock()
	if known {
		return v, nil
	}
	v, err := decode(w.Job.Request)
	if err != nil {
		return v, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.shared) >= mostShared {
		clear(p.shared)
	}
	p.shared[w.Job.ID] = v
	return v, nil
}

func decode(raw []byte) (value.Value, error) {
	v, err := body.Decode(raw)
	if err != nil {
		return v, fmt.Errorf("read the request of a job as it was kept: %w", err)
	}
	return v, nil
}

var _ Doer = (*Prompts)(nil)

package schema

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Limits bound what a schema may cost. A zero field means the default.
type Limits struct {
	// Bytes is the largest size as compact JSON; 256 KiB by default.
	Bytes int
	// Depth is the deepest nesting of subschemas; 64 by default.
	Depth int
	// Subschemas is the largest count of subschemas; 5,000 by default.
	Subschemas int
}

const (
	defaultBytes      = 256 << 10
	defaultDepth      = 64
	defaultSubschemas = 5000
)

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	if l.Subschemas == 0 {
		l.Subschemas = defaultSubschemas
	}
	return l
}

// Remotes holds the schemas that references may lead to, by absolute URL without fragment. Nothing is ever fetched.
type Remotes map[string]value.Value

// Options say how a schema is compiled.
type Options struct {
	Limits Limits
	// Draft is the draft of a schema without $schema.
	Draft Draft
	// AnnotateFormat turns format into an annotation that judges nothing.
	AnnotateFormat bool
	// Remotes are the only schemas outside that references may lead to.
	Remotes Remotes
}

// Advice is something in a schema that is tolerated and worth knowing.
type Advice struct {
	// Pointer is the place in the schema.
	Pointer string `json:"pointer"`
	// Rule is a short name: unknown_keyword, unknown_format, duplicate_id, …
	Rule string `json:"rule"`
	// Message says it in plain words.
	Message string `json:"message"`
}

// Schema is a compiled schema. It is immutable and safe for concurrent use.
type Schema struct {
	raw    value.Value
	root   *node
	hash   [sha256.Size]byte
	draft  Draft
	advice []Advice
	size   int
	// scoped is set where a dynamic reference makes the order of resources matter.
	scoped bool
	// extractive is set where x-extractive stands somewhere; source is what such strings are looked for in, if it is known.
	extractive bool
	source     *source
	origin     *Schema // of one with a source: the one without
	trials     sync.Pool
}

// Value gives the schema as it was written.
func (s *Schema) Value() value.Value { return s.raw }

// Hash gives the content hash: the same for every spelling of a schema that judges alike by the same bytes in any member order. The draft, the
// treatment of formats and the remote schemas that were followed are part of it.
func (s *Schema) Hash() [32]byte { return s.hash }

// Draft gives the draft that the root is read by.
func (s *Schema) Draft() Draft { return s.draft }

// Advice gives what was tolerated, in the order of the schema.
func (s *Schema) Advice() []Advice { return slices.Clone(s.advice) }

// Compile reads a schema. The error is a *fault.Fault with code INVALID_SCHEMA whose entries point into the schema.
func Compile(raw value.Value, o Options) (*Schema, error) {
	return compileUntil(context.Background(), raw, o)
}

// compileUntil is Compile that stops when the context ends; the error is then the context's own.
func compileUntil(ctx context.Context, raw value.Value, o Options) (*Schema, error) {
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	o.Limits = o.Limits.orDefault()
	canonical := raw.AppendCanonical(nil)
	if len(canonical) > o.Limits.Bytes {
		return nil, invalid([]fault.Entry{{
			Rule: "schema_bytes", Message: fmt.Sprintf("the schema has %d bytes; the limit is %d (limits.schema_bytes)", len(canonical), o.Limits.Bytes),
			Hint: "Leave out descriptions and unused definitions, or split the schema.",
		}})
	}
	c := newCompiler(ctx, o)
	root := c.compile(raw)
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	if len(c.problems) > 0 {
		return nil, invalid(c.problems)
	}
	s := &Schema{raw: raw, root: root, draft: root.resource.draft, advice: c.advice, size: len(canonical) + c.weight, scoped: c.scoped, extractive: c.extractive}
	s.hash = contentHash(canonical, s.draft, o.AnnotateFormat, c.followed())
	s.trials.New = func() any { return &trial{scoped: s.scoped, source: s.source, seed: maphash.MakeSeed()} }
	return s, nil
}

// stopped says that compiling ended with its context.
func stopped(ctx context.Context) error {
	return fmt.Errorf("compile a schema: %w", context.Cause(ctx))
}

// isStopped reports whether an error says that compiling ended with some context, and not what the schema is like.
func isStopped(err error) bool {
	var f *fault.Fault
	return !errors.As(err, &f)
}

func contentHash(canonical []byte, d Draft, annotate bool, followed [][2]string) (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "draft=%s annotate=%t\n", d, annotate)
	h.Write(canonical)
	for _, f := range followed {
		fmt.Fprintf(h, "\n%s\n%s", f[0], f[1])
	}
	h.Sum(sum[:0])
	return sum
}

// maxProblems bounds the entries of one INVALID_SCHEMA.
const maxProblems = 20

func invalid(problems []fault.Entry) *fault.Fault {
	f := fault.New(fault.InvalidSchema, "%s", problems[0].Message)
	if n := len(problems); n > 1 {
		f.Detail = fmt.Sprintf("%s; and %d more", problems[0].Message, n-1)
	}
	f.Entries = problems[:min(len(problems), maxProblems)]
	return f
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// checkLines is schemas check --jsonl.
func (e *Env) checkLines(ctx context.Context, f checkFlags, o schema.Options, args []string) error {
	in, done, err := e.input(args)
	if err != nil {
		return err
	}
	defer done()
	cache := schema.NewCache(0)
	return answerLines(ctx, in, e.Stdout, func() answer {
		c := &checker{ctx: ctx, options: o, cache: cache, dialect: strings.Join(f.dialects, "")}
		return c.answer
	})
}

// checker answers lines of schemas check.
type checker struct {
	ctx     context.Context //nolint:containedctx // A checker lives as long as the command.
	options schema.Options
	cache   *schema.Cache
	dialect string
}

func (c *checker) answer(dst, line []byte) []byte {
	object, id, err := readLine(line, "id", "schema", "dialect", "instance")
	if err != nil {
		return appendFailure(dst, id, err)
	}
	start := len(dst)
	dst = append(id.Append(append(dst, `{"id":`...)), ',')
	if dst, err = c.read(dst, object); err != nil {
		return appendFailure(dst[:start], id, err)
	}
	return append(dst, '}')
}

func (c *checker) read(dst []byte, line value.Value) ([]byte, error) {
	raw, ok := line.Get("schema")
	if !ok {
		return dst, refusedLine("", "the line has no schema")
	}
	dialect, err := textOf(line, "dialect", c.dialect)
	if err != nil {
		return dst, err
	}
	if dialect == "" {
		return dst, refusedLine("", "the line has no dialect, and --dialect gives none")
	}
	profile, ok := lowering.Named(dialect)
	if !ok {
		return dst, refusedLine("/dialect", "%s", unknownDialect(dialect))
	}
	s, err := c.cache.Compile(c.ctx, raw, c.options)
	if err != nil {
		return dst, err
	}
	l := lowering.Lower(s, profile)
	dst = appendLowered(dst, l)
	instance, ok := line.Get("instance")
	if !ok {
		return dst, nil
	}
	lowered, err := l.Lower(instance)
	if err != nil {
		return dst, untranslated(err, "lowered")
	}
	raised, err := l.Raise(lowered)
	if err != nil {
		return dst, untranslated(err, "raised")
	}
	dst = lowered.Append(append(dst, `,"lowered_instance":`...))
	return raised.Append(append(dst, `,"raised_instance":`...)), nil
}

// untranslated says that an instance cannot be lowered or raised.
func untranslated(err error, how string) error {
	pointer := "/instance"
	var bad *lowering.Error
	if errors.As(err, &bad) {
		pointer += bad.Pointer
	}
	return refusedLine(pointer, "the instance cannot be %s: %s", how, err.Error())
}

// appendLowered writes "mode", "lowered" and "residue".
func appendLowered(dst []byte, l lowering.Lowered) []byte {
	dst = fmt.Appendf(dst, `"mode":%q,"lowered":`, l.Mode)
	dst = l.Schema.Append(dst)
	return appendList(append(dst, `,"residue":`...), l.Residue)
}

package pipeline

import (
	"context"
	"errors"
	"strconv"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// lookup asks the cache before the providers, and keeps a passed answer behind them: one file shows both halves. A cache that fails is a miss, never an
// error: the service goes on without it.
type lookup struct {
	tier  cache.Tier
	meter Meter
}

func (s lookup) get(ctx context.Context, r resolved) (found, error) {
	f := found{resolved: r}
	if r.prompt.Options.BypassCache {
		return f, nil
	}
	entry, err := s.tier.Get(ctx, r.key)
	if err != nil {
		operation := "error"
		if errors.Is(err, cache.ErrMiss) {
			operation = "miss"
		}
		s.meter.Cache(operation)
		return f, nil
	}
	if !f.restore(entry) {
		s.meter.Cache("error")
		return f, nil
	}
	s.meter.Cache("hit")
	f.hit = true
	return f, nil
}

func (s lookup) put(ctx context.Context, f found) (struct{}, error) {
	if f.result.coalesced || f.result.stored || !f.result.valid.OK() {
		return struct{}{}, nil // Whoever made the call keeps it, and may have done so already; and nobody keeps questions.
	}
	_, err := s.store(ctx, f)
	return struct{}{}, err
}

// store keeps a passed answer, and says whether it could.
func (s lookup) store(ctx context.Context, f found) (bool, error) {
	if err := s.tier.Put(ctx, f.key, f.entry(), f.prompt.Options.CacheTTL, f.tags()...); err != nil {
		s.meter.Cache("error")
		return false, nil
	}
	s.meter.Cache("store")
	return true, nil
}

// tags name what the answer was made from, so that withdrawing it drops the answer.
func (f found) tags() []cache.Tag {
	var tags []cache.Tag
	if f.reference != "" {
		tags = cache.SchemaTags(string(f.who.Team), f.reference)
	}
	if t := f.prompt.Template; t != nil {
		tags = append(tags, cache.TemplateTags(string(f.who.Team), t.Ref)...)
	}
	return tags
}

// entry writes what is kept of a result: the value and what explains it. Attempts and costs belong to the request that paid for them.
func (f found) entry() []byte {
	res := f.result
	const beside = 512 // About what stands beside the data.
	dst := make([]byte, 0, len(res.data)+beside)
	dst = append(dst, `{"data":`...)
	dst = append(dst, res.data...)
	dst = append(dst, `,"provider":`...)
	dst = value.AppendQuoted(dst, res.provider)
	dst = append(dst, `,"model":`...)
	dst = value.AppendQuoted(dst, res.model)
	dst = append(dst, `,"mode":`...)
	dst = value.AppendQuoted(dst, string(res.mode))
	dst = append(dst, `,"reasks":`...)
	dst = strconv.AppendInt(dst, int64(res.reasks), 10)
	dst = append(dst, `,"repairs":`...)
	dst = appendRepairs(dst, res.repairs)
	dst = append(dst, `,"coercions":`...)
	dst = appendCoercions(dst, res.coercions)
	dst = append(dst, `,"source":`...)
	dst = value.AppendQuoted(dst, res.confidenceSource)
	dst = append(dst, `,"confidence":`...)
	dst = strconv.AppendFloat(dst, res.confidence, 'f', -1, 64)
	dst = append(dst, `,"language":`...)
	dst = value.AppendQuoted(dst, f.language.Code)
	dst = append(dst, `,"certainty":`...)
	dst = strconv.AppendFloat(dst, f.language.Confidence, 'f', -1, 64)
	return append(dst, '}')
}

// restore reads an entry back. The value becomes valid again through the schema it was judged by, whose hash is in the key.
func (f *found) restore(entry []byte) bool {
	v, err := value.Decode(entry, value.Limits{})
	if err != nil {
		return false
	}
	data, ok := v.Get("data")
	if !ok {
		return false
	}
	res := &Result{}
	if res.valid, err = schema.Restore(f.schema, f.schema.Reorder(data)); err != nil {
		return false
	}
	res.data = res.valid.Value().String()
	res.provider, res.model = text(v, "provider"), text(v, "model")
	res.mode = lowering.Mode(text(v, "mode"))
	res.reasks = int(number(v, "reasks"))
	res.confidenceSource, res.confidence = text(v, "source"), number(v, "confidence")
	repairs, _ := v.Get("repairs")
	for _, item := range repairs.Items() {
		res.repairs = append(res.repairs, repair.Repair{Kind: repair.Kind(text(item, "kind")), Offset: int(number(item, "offset"))})
	}
	coercions, _ := v.Get("coercions")
	for _, item := range coercions.Items() {
		before, _ := item.Get("before")
		after, _ := item.Get("after")
		res.coercions = append(res.coercions, schema.Coercion{Kind: text(item, "kind"), Pointer: text(item, "pointer"), Before: before, After: after})
	}
	f.language = language.Guess{Code: text(v, "language"), Confidence: number(v, "certainty")}
	f.result = res
	return true
}

func text(v value.Value, name string) string {
	item, _ := v.Get(name)
	return item.Text()
}

func number(v value.Value, name string) float64 {
	n, _ := strconv.ParseFloat(text(v, name), 64)
	return n
}

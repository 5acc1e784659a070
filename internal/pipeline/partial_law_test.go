package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// The law of partial results (design of the schema compiler, Streaming): what is shown is complete, raised, coerced and valid, and never taken back. Of an
// answer that passes this holds without freezing: each snapshot, made anew from the text so far, is held by the next one and by the result.

// lawProfiles are the forms in which answers come.
func lawProfiles() (names []string, list map[string]lowering.Profile) {
	list = map[string]lowering.Profile{}
	for _, name := range []string{"openai", "anthropic", "gemini", "gemini:openapi", "openai:deepseek", "llamacpp"} {
		list[name], _ = lowering.Named(name)
		names = append(names, name)
	}
	list["json"], list["prompt"] = list["openai"].Only(lowering.JSON), list["openai"].Only(lowering.Prompt)
	return append(names, "json", "prompt"), list
}

// reader reads answers of one schema in one form.
type reader struct {
	schema *schema.Schema
	plan   *plan
	mode   schema.Mode
}

func newReader(s *schema.Schema, p lowering.Profile, mode schema.Mode) *reader {
	lowered := lowering.Lower(s, p)
	shape := repair.ShapeOf(s.Value()) // As the planner makes it.
	if !lowered.Schema.IsNull() {
		shape = repair.ShapeOf(lowered.Schema)
	}
	return &reader{s, &plan{lowered: lowered, shape: shape}, mode}
}

// result is what the answer's last judgement gives of the whole text.
func (r *reader) result(ctx context.Context, text string) (v value.Value, report schema.Report, ok bool) {
	read, err := repair.Read(text, repair.Hints{Schema: r.plan.shape})
	if err != nil || read.Unfinished {
		return v, report, false
	}
	if v, err = r.plan.lowered.Raise(read.Value); err != nil {
		return v, report, false
	}
	v, _ = r.schema.Coerce(v, r.mode)
	v = r.schema.Reorder(v)
	valid, report := r.schema.Accept(ctx, v)
	return v, report, valid.OK()
}

// watched is what a stream of one text showed.
type watched struct {
	writes, snapshots int
	last              value.Value
	any               bool
	early             bool // something was shown before the last byte came
}

// watch writes a text in pieces that end at the cuts and checks every snapshot. Of an answer of the form asked for it is also made anew.
func (r *reader) watch(ctx context.Context, text string, formed bool, cut func(at int) int) (w watched, fault error) {
	e := &exchange{prompt: prompt.Prompt{Options: prompt.Options{Coercion: r.mode}}}
	var shown value.Value
	e.emit = func(e Event) error {
		if w.snapshots > 0 && !holds(*e.Partial, shown) {
			fault = fmt.Errorf("%s takes back %s", *e.Partial, shown)
		}
		shown = *e.Partial
		w.snapshots++
		return nil
	}
	p := newPartial(resolved{exchange: e, schema: r.schema})
	p.begin(planned{plan: r.plan})
	stream := repair.NewStream(repair.Hints{Schema: r.plan.shape})
	for at := 0; at < len(text); {
		next := min(max(cut(at), at+1), len(text))
		piece := text[at:next]
		at = next
		w.writes++
		before := w.snapshots
		if err := p.add(ctx, piece); err != nil || fault != nil {
			return w, errors.Join(err, fault)
		}
		fresh := w.snapshots > before
		w.early = w.early || fresh && at < len(text)
		if !formed {
			w.last, w.any = shown, w.snapshots > 0
			continue
		}
		// The same from the beginning, with nothing frozen.
		stream.Write(piece)
		snapshot, ok := stream.Snapshot()
		if !ok {
			continue
		}
		raised, ok := r.plan.lowered.RaisePart(snapshot)
		if !ok {
			continue
		}
		anew, ok, _ := p.fields(ctx, r.schema.Unfinished(r.mode), raised, value.Value{}, false)
		if !ok {
			if w.any {
				return w, fmt.Errorf("at byte %d nothing is left of %s", at, w.last)
			}
			continue
		}
		if w.any && !holds(anew, w.last) {
			return w, fmt.Errorf("at byte %d %s does not hold %s", at, anew, w.last)
		}
		w.last, w.any = anew, true
		if fresh && !value.Identical(shown, anew) {
			return w, fmt.Errorf("at byte %d %s is shown, anew it is %s", at, shown, anew)
		}
	}
	return w, nil
}

// tally counts what the law was checked on.
type tally struct {
	instances, passed, early int
	several, severalEarly    int // instances of two fields at least
	texts, writes, snapshots int
	fields, shown            int // of passed answers: all, and those in the last snapshot
	loosened, coerced        int // answers that pass when coerced; those of which the stream showed a coerced field
	refused                  int // of them: the result contradicts what was shown
	broken, brokenPassed     int
	faults                   int
}

func (t *tally) add(o tally) {
	for _, p := range [][2]*int{
		{&t.instances, &o.instances},
		{&t.passed, &o.passed},
		{&t.early, &o.early},
		{&t.several, &o.several},
		{&t.severalEarly, &o.severalEarly},
		{&t.texts, &o.texts},
		{&t.writes, &o.writes},
		{&t.snapshots, &o.snapshots},
		{&t.fields, &o.fields},
		{&t.shown, &o.shown},
		{&t.loosened, &o.loosened},
		{&t.coerced, &o.coerced},
		{&t.refused, &o.refused},
		{&t.broken, &o.broken},
		{&t.brokenPassed, &o.brokenPassed},
		{&t.faults, &o.faults},
	} {
		*p[0] += *p[1]
	}
}

func share(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

func (t *tally) String() string {
	return fmt.Sprintf("%d instances, %d read back as they are, %.1f %% show something before the end (of those with two fields or more %.1f %%), %.1f %% of all fields; "+
		"%d texts in %d pieces, %d snapshots; %d loosened, %d of them shown coerced, %d refused; %d broken, of which %d pass; %d violations",
		t.instances, t.passed, share(t.early, t.instances), share(t.severalEarly, t.several), share(t.shown, t.fields),
		t.texts, t.writes, t.snapshots, t.loosened, t.coerced, t.refused, t.broken, t.brokenPassed, t.faults)
}

// law checks one schema with its instances in one form.
type law struct {
	*reader
	rng   *rand.Rand
	every int // texts up to this length are also cut in two at every byte
	tally tally
	fail  func(format string, args ...any)
}

func (l *law) fault(format string, args ...any) {
	l.tally.faults++
	l.fail(format, args...)
}

// valid checks one valid instance.
func (l *law) valid(ctx context.Context, x value.Value) {
	down, err := l.plan.lowered.Lower(x)
	var refused *lowering.Error
	if errors.As(err, &refused) {
		return // It cannot be given in this form.
	}
	l.tally.instances++
	text := down.String()
	final, report, ok := l.result(ctx, text)
	if !ok {
		l.fault("a valid answer is not read back: %s, instance %s, result %s, %+v", text, x, final, report)
		return
	}
	l.tally.passed++
	w := l.held(ctx, text, final, func(at int) int { return at + 1 })
	l.tally.fields += leaves(final)
	if w.any {
		l.tally.shown += leaves(w.last)
	}
	if w.early {
		l.tally.early++
	}
	if leaves(final) > 1 {
		l.tally.several++
		if w.early {
			l.tally.severalEarly++
		}
	}
	l.held(ctx, text, final, func(at int) int { return at + 1 + l.rng.IntN(24) })
	l.spelled(ctx, "```json\n"+text+"\n```\n")
	l.spelled(ctx, spaced(l.rng, text))
	l.spelled(ctx, shuffled(l.rng, down).String())
	if len(text) <= l.every {
		for i := 1; i < len(text); i++ {
			l.held(ctx, text, final, func(at int) int {
				if at < i {
					return i
				}
				return len(text)
			})
		}
	}
	l.loosened(ctx, down)
	l.again(ctx, l.broken(ctx, down), text, final)
}

// held checks a text whose result passes.
func (l *law) held(ctx context.Context, text string, final value.Value, cut func(int) int) watched {
	w, err := l.watch(ctx, text, true, cut)
	l.tally.texts++
	l.tally.writes += w.writes
	l.tally.snapshots += w.snapshots
	switch {
	case err != nil:
		l.fault("%v\ntext   %s\nresult %s", err, text, final)
	case w.any && !holds(final, w.last):
		l.fault("the result %s does not hold %s\ntext   %s", final, w.last, text)
	}
	return w
}

// spelled checks the same answer as another text.
func (l *law) spelled(ctx context.Context, text string) {
	if final, _, ok := l.result(ctx, text); ok {
		l.held(ctx, text, final, func(at int) int { return at + 1 })
	}
}

// loosened checks an answer some of whose scalars pass only when they are coerced. Where the model answers in the caller's shape the stream and coercion
// of the whole must agree. Elsewhere such a scalar may not have the form asked for, so that the alternative it stands in is not known again: then the
// answer is refused like any other that contradicts what was shown.
func (l *law) loosened(ctx context.Context, down value.Value) {
	loose := loosen(l.rng, down)
	if value.Identical(loose, down) {
		return
	}
	text := loose.String()
	final, _, ok := l.result(ctx, text)
	if !ok {
		return
	}
	l.tally.loosened++
	w, err := l.watch(ctx, text, false, func(at int) int { return at + 1 })
	switch {
	case err != nil:
		l.fault("%v\ntext   %s\nresult %s", err, text, final)
	case w.any && !holds(final, w.last) && !l.plan.lowered.Schema.IsNull():
		l.tally.refused++
	case w.any && !holds(final, w.last):
		l.fault("the result %s does not hold %s\ntext   %s", final, w.last, text)
	}
	if raised, err := l.plan.lowered.Raise(loose); err == nil && w.any && !holds(raised, w.last) {
		l.tally.coerced++
	}
}

// again checks an attempt behind a broken one: it fills only the rest.
func (l *law) again(ctx context.Context, broken, text string, final value.Value) {
	e := &exchange{prompt: prompt.Prompt{Options: prompt.Options{Coercion: l.mode}}}
	var shown []value.Value
	e.emit = func(e Event) error {
		if n := len(shown); n > 0 && !holds(*e.Partial, shown[n-1]) {
			l.fault("%s takes back %s\nfirst  %s\nsecond %s", *e.Partial, shown[n-1], broken, text)
		}
		shown = append(shown, *e.Partial)
		return nil
	}
	p := newPartial(resolved{exchange: e, schema: l.schema})
	for _, text := range []string{broken, text} {
		p.begin(planned{plan: l.plan})
		for i := range len(text) {
			if err := p.add(ctx, text[i:i+1]); err != nil {
				l.fault("%v", err)
				return
			}
		}
	}
	kept, _ := p.keep(final, nil)
	if p.isFrozen && !holds(kept, p.frozen) {
		return // The root is of another kind: the attempt is refused.
	}
	if !p.heldBy(kept) {
		l.fault("the result %s does not hold %s\nfirst  %s\nsecond %s", kept, p.shown, broken, text)
	}
}

// broken checks answers that are wrong somewhere: what they show stays, and fields that the report speaks against are not shown. It gives the text.
func (l *law) broken(ctx context.Context, down value.Value) string {
	text := disturb(l.rng, down).String()
	switch l.rng.IntN(4) {
	case 0:
		text = text[:l.rng.IntN(len(text)+1)]
	case 1:
		text = doubled(l.rng, text)
	}
	l.tally.broken++
	final, report, ok := l.result(ctx, text)
	if ok {
		l.tally.brokenPassed++
	}
	w, err := l.watch(ctx, text, false, func(at int) int { return at + 1 })
	if err != nil {
		l.fault("%v\ntext %s", err, text)
	}
	if !w.any || !holds(final, w.last) {
		return text // The attempt is refused: the stream keeps what it has shown.
	}
	for _, entry := range report.Errors {
		v, _ := final.Lookup(entry.Pointer)
		if _, ok := w.last.Lookup(entry.Pointer); ok && isScalar(v) && judgesInAnyCase(entry.SchemaPointer) && entry.Keyword != schema.KeywordLimit {
			l.fault("%s is shown, and the report says %+v\ntext %s", w.last, entry, text)
		}
	}
	return text
}

func isScalar(v value.Value) bool { return v.Kind() != value.KindObject && v.Kind() != value.KindArray }

// judgesInAnyCase reports whether surely no alternative or condition stands on the way to a keyword. Of definitions the way to them is not known.
func judgesInAnyCase(pointer string) bool {
	for _, token := range strings.Split(pointer, "/") {
		switch token {
		case "anyOf", "oneOf", "not", "if", "then", "else", "contains", "dependencies", "dependentSchemas", "definitions", "$defs":
			return false
		}
	}
	return true
}

// shuffled gives the members of objects in another order: not every service keeps the one it is sent.
func shuffled(rng *rand.Rand, v value.Value) value.Value {
	switch v.Kind() {
	case value.KindArray:
		items := make([]value.Value, v.Len())
		for i := range items {
			items[i] = shuffled(rng, v.At(i))
		}
		return value.Array(items...)
	case value.KindObject:
		members := make([]value.Member, v.Len())
		for to, from := range rng.Perm(v.Len()) {
			members[to] = value.Member{Name: v.NameAt(from), Value: shuffled(rng, v.At(from))}
		}
		return value.Object(members...)
	default:
		return v
	}
}

// spaced puts white space between the tokens of a JSON text.
func spaced(rng *rand.Rand, text string) string {
	var b strings.Builder
	inString, escaped := false, false
	for i := range len(text) {
		c := text[i]
		structure := !inString && strings.IndexByte("{}[]:,", c) >= 0
		if structure {
			b.WriteString([]string{"", " ", "\n  ", "\t"}[rng.IntN(4)])
		}
		b.WriteByte(c)
		if structure {
			b.WriteString([]string{"", " ", "\r\n"}[rng.IntN(3)])
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
	}
	return b.String()
}

// loosen gives some scalars the spelling that a careless model gives them.
func loosen(rng *rand.Rand, v value.Value) value.Value {
	switch v.Kind() {
	case value.KindObject, value.KindArray:
		for i := range v.Len() {
			v = v.WithAt(i, loosen(rng, v.At(i)))
		}
		return v
	case value.KindNumber, value.KindBool:
		if rng.IntN(2) == 0 {
			return value.String(v.String())
		}
	case value.KindString:
		switch rng.IntN(6) {
		case 0:
			return value.String(strings.ToUpper(v.Text()))
		case 1:
			return value.String(" " + v.Text())
		}
	}
	return v
}

// disturb changes a value in one place.
func disturb(rng *rand.Rand, v value.Value) value.Value {
	if v.Len() > 0 && rng.IntN(6) > 0 {
		i := rng.IntN(v.Len())
		if v.Kind() == value.KindObject && rng.IntN(6) == 0 {
			return v.Without(v.NameAt(i))
		}
		return v.WithAt(i, disturb(rng, v.At(i)))
	}
	texts := []string{
		`null`, `true`, `0`, `-1.5`, `"a"`, `""`, `"1"`, `[]`, `{}`, `[1,2]`, `{"value":null}`, `{"value":{"value":1},"x":2}`, `{"result":{"result":[]}}`, `[{"key":"a"}]`,
		`[{"key":"a","value":1},{"key":"a","value":2}]`, `{"a":{"a":1}}`, `"{\"a\":1}"`, `"{"`,
	}
	out, _ := value.DecodeString(texts[rng.IntN(len(texts))], value.Limits{})
	return out
}

// doubled repeats a piece of a text, so that members come twice.
func doubled(rng *rand.Rand, text string) string {
	from := rng.IntN(len(text))
	to := from + rng.IntN(len(text)-from)
	if comma := strings.IndexByte(text[from:], ','); comma >= 0 {
		from += comma
		if comma = strings.LastIndexAny(text[from:max(to, from)], ",]}"); comma > 0 {
			to = from + comma
		}
	}
	to = max(to, from)
	return text[:to] + text[from:to] + text[to:]
}

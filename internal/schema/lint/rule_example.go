package lint

import "github.com/promptd/promptd/internal/value"

// maxJudged bounds the defaults and examples that are judged.
const maxJudged = 500

// defaultRefused judges defaults.
func (l *linter) defaultRefused() {
	for v := range l.own {
		if d, ok := v.Get("default"); ok && l.refused(v, d) {
			l.say(value.AppendPointer(v.Pointer(), "default"), short(d))
		}
	}
}

// examplesRefused judges examples.
func (l *linter) examplesRefused() {
	for v := range l.own {
		list, _ := v.Get("examples")
		for i, x := range list.Items() {
			if l.refused(v, x) {
				l.say(value.AppendIndex(value.AppendPointer(v.Pointer(), "examples"), i), short(x))
			}
		}
	}
}

// refused judges a value by all that judges the place's value in any case.
func (l *linter) refused(v *visit, x value.Value) bool {
	if l.judged++; l.judged > maxJudged || l.ctx.Err() != nil {
		l.cut = true
		return false
	}
	if v.Accepts(l.ctx, x) {
		return false
	}
	if l.ctx.Err() != nil { // It was stopped, not refused.
		l.cut = true
		return false
	}
	return true
}

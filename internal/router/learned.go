package router

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider"
)

// How what was learned fades. A model may be changed by its service overnight, so a day halves what it weighs; and the last few hundred attempts are all that
// counts, so that a busy schema notices a change within minutes.
const (
	halfLife    = 24 * time.Hour
	memorySize  = 500
	priorWeight = 8 // pseudo-answers that stand for what is expected
)

// Figures is what was learned of a schema at a model. Sums fade; each has the weight that it is the sum of.
type Figures struct {
	// Attempts counts all attempts that said something of the model, never fading.
	Attempts int64
	// Weight is that of Passed and Reasks: attempts whose answer satisfied the schema, and attempts that were re-asks.
	Weight, Passed, Reasks float64
	// Nano is the cost of the attempts whose cost is known, Output the tokens of the answers whose usage is, Took the time of all, in nanoseconds.
	Nano, Priced   float64
	Output, Metred float64
	Took, Timed    float64
	// Updated is when the last attempt ended.
	Updated time.Time
}

// standingRate is what a model does over all schemas.
type standingRate struct{ weight, passed float64 }

// posterior is the share that passes where as much as priorWeight answers speak for the expected one.
func (s standingRate) posterior(expected float64) float64 {
	return (s.passed + priorWeight*expected) / (s.weight + priorWeight)
}

// rate is the share of attempts that is expected to pass, never 0.
func (f *Figures) rate(prior float64) float64 {
	return max(0.001, standingRate{f.Weight, f.Passed}.posterior(prior))
}

// PassRate is the measured share alone, 0 where nothing was measured.
func (f *Figures) PassRate() float64 { return per(f.Passed, f.Weight) }

// ReaskRate is the share of attempts that were re-asks.
func (f *Figures) ReaskRate() float64 { return per(f.Reasks, f.Weight) }

// Cost is what an attempt costs on average, in nano-dollars; unknown where none had a known cost.
func (f *Figures) Cost() provider.Cost {
	if f.Priced < 0.001 {
		return provider.Cost{}
	}
	return provider.Cost{Nano: int64(math.Round(f.Nano / f.Priced)), Known: true}
}

// Latency is what an attempt takes on average.
func (f *Figures) Latency() time.Duration { return time.Duration(per(f.Took, f.Timed)) }

func per(sum, weight float64) float64 {
	if weight < 0.001 {
		return 0
	}
	return sum / weight
}

// fade lets time pass.
func (f *Figures) fade(now time.Time) {
	if age := now.Sub(f.Updated); age > 0 && !f.Updated.IsZero() {
		f.scale(math.Exp2(-float64(age) / float64(halfLife)))
	}
}

func (f *Figures) scale(by float64) {
	for _, sum := range [...]*float64{&f.Weight, &f.Passed, &f.Reasks, &f.Nano, &f.Priced, &f.Output, &f.Metred, &f.Took, &f.Timed} {
		*sum *= by
	}
}

// add counts an attempt.
func (f *Figures) add(a *provider.Attempt, passed, reask bool, now time.Time) {
	f.fade(now)
	f.scale(1 - 1.0/memorySize)
	f.Attempts++
	f.Updated = now
	f.Weight++
	f.Passed += boolPoint(passed)
	f.Reasks += boolPoint(reask)
	f.Took += float64(a.Total)
	f.Timed++
	if a.Cost.Known {
		f.Nano += float64(a.Cost.Nano)
		f.Priced++
	}
	if a.Usage.Known {
		f.Output += float64(a.Usage.Output)
		f.Metred++
	}
}

// judgement says what an outcome tells of a model's answers. What a service's health or an account's limits did says nothing of them.
func judgement(o dialect.Outcome) (passed, counts bool) {
	switch o {
	case dialect.OK:
		return true, true
	case dialect.Invalid, dialect.Truncated, dialect.Refused, dialect.Filtered:
		return false, true
	default:
		return false, false
	}
}

// lessonKey names a team's schema. Teams do not see each other's, so what one learns is not told to the other but for the sums over all schemas.
type lessonKey struct {
	team   key.TeamID
	schema [32]byte
}

// modelKey names a model.
type modelKey struct{ provider, model string }

// lesson is what was learned of one schema.
type lesson struct {
	name   string
	models map[modelKey]*Figures
	used   time.Time
}

// mostLessons bounds the schemas that are remembered; the ones longest not used are forgotten. A lesson takes about a kilobyte.
const mostLessons = 4096

// Learned is what attempts have taught. It is safe for concurrent use; Run of a Keeper writes it down.
type Learned struct {
	mu      sync.RWMutex
	lessons map[lessonKey]*lesson
	models  map[modelKey]*Figures
	changed map[rowKey]struct{}
}

// NewLearned makes one that knows nothing.
func NewLearned() *Learned {
	return &Learned{lessons: map[lessonKey]*lesson{}, models: map[modelKey]*Figures{}, changed: map[rowKey]struct{}{}}
}

// recall gives each choice what was learned of it, and the question the tokens that its answers have.
func (l *Learned) recall(q *Question, of []Choice) {
	q.lesson = lessonKey{q.Caller.Team, q.Schema.Hash()}
	l.mu.RLock()
	defer l.mu.RUnlock()
	known := l.lessons[q.lesson]
	var output, metred float64
	for i := range of {
		c := &of[i]
		k := modelKey{c.Provider.Name(), c.Model.Name}
		if known != nil {
			if f := known.models[k]; f != nil {
				c.Learned = *f
				c.Learned.fade(q.now)
				output, metred = output+f.Output, metred+f.Metred
			}
		}
		if f := l.models[k]; f != nil {
			general := *f
			general.fade(q.now)
			// What this schema has taught counts once, as its own.
			c.general = standingRate{max(0, general.Weight-c.Learned.Weight), max(0, general.Passed-c.Learned.Passed)}
		}
	}
	if metred >= 1 {
		q.output = int(output / metred)
	}
}

// observe counts an attempt.
func (l *Learned) observe(q *Question, a *provider.Attempt, reask bool, now time.Time) {
	passed, counts := judgement(a.Outcome)
	if !counts {
		return
	}
	at, k := lessonKey{q.Caller.Team, q.Schema.Hash()}, modelKey{a.Provider, a.Model}
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.lessons[at]
	if of == nil {
		l.makeRoom()
		of = &lesson{models: map[modelKey]*Figures{}}
		l.lessons[at] = of
	}
	of.name, of.used = q.SchemaName, now
	for _, in := range [...]map[modelKey]*Figures{of.models, l.models} {
		if in[k] == nil {
			in[k] = &Figures{}
		}
		in[k].add(a, passed, reask, now)
	}
	l.changed[rowKey{at, k}] = struct{}{}
	l.changed[rowKey{lessonKey{}, k}] = struct{}{}
}

// makeRoom forgets an eighth of the lessons where there are too many. The mutex is held.
func (l *Learned) makeRoom() {
	if len(l.lessons) < mostLessons {
		return
	}
	type aged struct {
		key  lessonKey
		used time.Time
	}
	all := make([]aged, 0, len(l.lessons))
	for k, of := range l.lessons {
		all = append(all, aged{k, of.used})
	}
	slices.SortFunc(all, func(a, b aged) int { return a.used.Compare(b.used) })
	for _, old := range all[:len(all)/8] {
		delete(l.lessons, old.key)
	}
	for k := range l.changed { // Where the store is away for long, what waits to be written is bounded with the rest.
		if k.lesson != (lessonKey{}) && l.lessons[k.lesson] == nil {
			delete(l.changed, k)
		}
	}
}

// Lesson is what a team's requests have taught of one schema at a model.
type Lesson struct {
	Schema string
	Figures
}

// Lessons lists what a team's requests have taught of a model, the newest first, up to most.
func (l *Learned) Lessons(team key.TeamID, providerName, model string, most int, now time.Time) []Lesson {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []Lesson
	for k, of := range l.lessons {
		if k.team != team {
			continue
		}
		if f := of.models[modelKey{providerName, model}]; f != nil {
			one := Lesson{of.name, *f}
			one.fade(now)
			list = append(list, one)
		}
	}
	slices.SortFunc(list, func(a, b Lesson) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(a.Schema, b.Schema))
	})
	return list[:min(len(list), most)]
}

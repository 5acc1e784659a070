package pipeline

import (
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// exchange is what every phase of one request knows: who asks what, and what was tried so far. One goroutine at a time writes to it.
type exchange struct {
	id      string
	who     *key.Caller
	prompt  prompt.Prompt
	started time.Time
	emit    func(Event) error // nil where nobody listens

	schema *schema.Schema // nil until resolved
	// reference is the version of a registered schema, as name@version; empty for any other.
	reference string
	attempts  []provider.Attempt
	asked     time.Duration // spent at providers and in pauses: not the platform's own
	report    *Validation   // of the last judged attempt
	dialogue  *dialogue     // what the request goes on with; nil where it begins
	came      *Came         // the reply to its first call, where that was made apart; nil once it was taken
}

// normalised is an exchange whose texts are normalised.
type normalised struct {
	*exchange
	characters int
}

// checked is one that keeps its limits.
type checked struct{ *exchange }

// resolved is one whose schema is compiled and whose candidates are known.
type resolved struct {
	*exchange
	schema     *schema.Schema
	form       *missing.Form // nil where a model can't say that something is missing
	candidates []provider.Candidate
	key        cache.Key
}

// planned is an attempt about to be made.
type planned struct {
	*exchange
	schema    *schema.Schema
	form      *missing.Form
	candidate provider.Candidate
	plan      *plan
	messages  []dialect.Message
	room      int
	capped    bool
}

// replied is an attempt that a model answered.
type replied struct {
	planned
	reply dialect.Reply
}

// parsed is an answer that was read as JSON.
type parsed struct {
	replied
	read repair.Result
}

// raised is an answer in the caller's shape, coerced. In a form it may say instead what is missing.
type raised struct {
	parsed
	said      missing.Said
	value     value.Value
	coercions []schema.Coercion
	// valid is set where the value was valid as it came: it need not be judged again while it stays the same.
	valid schema.Valid
}

// Result is a valid answer with its story: what identical requests share and the cache keeps.
type Result struct {
	valid            schema.Valid
	data             string // the value as JSON: answer, history and cache have it
	repairs          []repair.Repair
	coercions        []schema.Coercion
	reasks           int
	mode             lowering.Mode
	provider         string
	model            string
	confidence       float64
	confidenceSource string // empty where there is no confidence
	usage            dialect.Usage
	cost             provider.Cost
	attempts         []provider.Attempt
	asked            time.Duration
	coalesced        bool
	stored           bool     // where other processes wait for it, before this one's callers have it
	account          *account // nil where the call was not shared
	// questions stand for the value where something is missing.
	questions []missing.Question
}

// found is a result with where it came from.
type found struct {
	resolved
	result   *Result
	hit      bool
	language language.Guess
}

// Validation is the report of an answer, valid or not.
type Validation struct {
	Errors    []schema.Entry
	More      int
	Repairs   []repair.Repair
	Coercions []schema.Coercion
	Reasks    int
	Schema    string
	Mode      lowering.Mode
}

// Answer is a validated answer. Its Valid can only come from the schema's judgement.
type Answer struct {
	RequestID       string
	ClientRequestID string
	Valid           schema.Valid
	// Data is Valid's value as JSON.
	Data   string
	Format string
	Output string // the rendered text; empty for json
	// Template is the template that the request named, as name@version; empty without one.
	Template   string
	Validation Validation
	Language   *language.Guess // nil where it was not asked for
	// Confidence is nil where nothing measured it; ConfidenceSource says what did.
	Confidence       *float64
	ConfidenceSource string
	Provider         string
	Model            string
	Attempts         []provider.Attempt
	Usage            dialect.Usage
	Cost             provider.Cost
	Cached           bool
	Coalesced        bool
	CacheKey         string
	Processing       time.Duration
	Overhead         time.Duration
	// Questions stand for the value where the text does not say what the schema requires; State is what to go on with, empty where it would be too long.
	Questions []missing.Question
	State     string
}

// The states of an answer.
const (
	Passed     = "passed"
	NeedsInput = "needs_input"
)

// Status says whether the answer passed, or needs input.
func (a *Answer) Status() string {
	if a.Valid.OK() {
		return Passed
	}
	return NeedsInput
}

// Failure is a request that got no answer: the fault, and what was tried.
type Failure struct {
	Fault           *fault.Fault
	RequestID       string
	ClientRequestID string
	Validation      *Validation // nil where nothing was judged
	Attempts        []provider.Attempt
	Usage           dialect.Usage
	Cost            provider.Cost
	Processing      time.Duration
}

// Error says the fault.
func (f *Failure) Error() string { return f.Fault.Error() }

// Unwrap gives the fault.
func (f *Failure) Unwrap() error { return f.Fault }

// Event is something that happened on the way of a streamed request; exactly one field is set.
type Event struct {
	Attempt *provider.Attempt
	// Partial is a snapshot of the fields that are complete and valid so far. It holds every value of earlier snapshots unchanged.
	Partial *value.Value
	Answer  *Answer
}

func (x *exchange) failure(err error) *Failure {
	f := &Failure{
		Fault: fault.Of(err), RequestID: x.id, ClientRequestID: x.prompt.ClientRequestID, Validation: x.report, Attempts: x.attempts, Processing: time.Since(x.started),
	}
	if x.reference != "" && x.report != nil {
		own := *x.report // Identical requests share the report; each calls the schema as it did itself.
		own.Schema = x.reference
		f.Validation = &own
	}
	f.Usage, f.Cost = total(x.attempts)
	return f
}

// total sums what the attempts used and cost; the cost is unknown where one attempt's is.
func total(attempts []provider.Attempt) (dialect.Usage, provider.Cost) {
	var u dialect.Usage
	cost := provider.Cost{Known: len(attempts) > 0}
	for i := range attempts {
		a := &attempts[i]
		u.Input += a.Usage.Input
		u.CachedInput += a.Usage.CachedInput
		u.CacheWrite += a.Usage.CacheWrite
		u.Output += a.Usage.Output
		u.Reasoning += a.Usage.Reasoning
		u.Known = u.Known || a.Usage.Known
		cost = cost.Plus(a.Cost)
	}
	return u, cost
}

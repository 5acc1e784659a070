package providertest

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// Batches is a service with the batch API of its wire form: OpenAI's files and batches (for both of its formats), Anthropic's message batches, or Gemini's
// operations. The calls in a batch are answered as direct ones are, by the same shares and the same Answer, but not by the queue. Results come in reverse order.
//
// A batch ends by how often it was looked at and not by the clock, so that runs repeat.
type Batches struct {
	// Looks is how often a batch is looked at before it has ended.
	Looks int
	// End is how batches end; empty is BatchDone.
	End BatchEnd
	// Hold, where it is set, keeps all batches under way until it is closed.
	Hold <-chan struct{}
	// Line says what becomes of a call, by its place and its id; nil, and an empty word, answer it. Of a batch that ends as BatchExpired or BatchCancelled every second
	// call is not made by default.
	Line func(n int, id string) BatchLine
	// Fault says what goes wrong with a request, by its step (upload, create, look, list, fetch, cancel, forget) and how many of that step came before; nil and
	// an empty fault are none. CutBeforeHeaders and CutBody come after the deed: the batch is made and the client does not hear of it. All others are instead of it.
	Fault func(step string, n int) Fault
}

// BatchEnd is how a batch ends.
type BatchEnd string

// The ends. BatchNever is under way for ever; BatchFailed has no results.
const (
	BatchDone      BatchEnd = "done"
	BatchFailed    BatchEnd = "failed"
	BatchExpired   BatchEnd = "expired"
	BatchCancelled BatchEnd = "cancelled"
	BatchNever     BatchEnd = "never"
)

// BatchLine is what becomes of a call of a batch.
type BatchLine string

// What becomes of calls. LineFailed is the service's error in place of an answer, LineMissing is not told of, LineMalformed is broken JSON, and LineTwice comes twice.
const (
	LineRight     BatchLine = "right"
	LineFailed    BatchLine = "failed"
	LineExpired   BatchLine = "expired"
	LineCancelled BatchLine = "cancelled"
	LineMissing   BatchLine = "missing"
	LineMalformed BatchLine = "malformed"
	LineTwice     BatchLine = "twice"
)

// MadeBatch is a batch as the service has it.
type MadeBatch struct {
	ID, Label, Model string
	// IDs are those of the calls, in the order in which they came.
	IDs []string
	// Looked counts how often it was looked at, Answered the calls that were made: those are charged.
	Looked, Answered int
	// Cancelled says that its end was asked for, Forgotten that it was deleted, or its files were.
	Cancelled, Forgotten bool
}

// shelf is what a service keeps of batches.
type shelf struct {
	mu sync.Mutex

	files map[string][]byte // uploaded
	made  []*madeBatch
	steps map[string]int
}

type madeBatch struct {
	MadeBatch
	wire    wire
	begun   time.Time
	input   string
	entries []entry
	lines   [][]byte // the results, once it has ended; of OpenAI those of the output file
	errors  [][]byte // those of the error file
	ended   BatchEnd // empty while it is under way
}

// entry is a call of a batch.
type entry struct {
	id, path string
	body     []byte
}

// MadeBatches gives the batches that were made, the first one first.
func (s *Server) MadeBatches() []MadeBatch {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	list := make([]MadeBatch, 0, len(s.shelf.made))
	for _, b := range s.shelf.made {
		one := b.MadeBatch
		one.IDs = slices.Clone(b.IDs)
		list = append(list, one)
	}
	return list
}

// deed is a request about batches: its step, and what it does, which gives the answer's status and body.
type deed struct {
	wire wire
	step string
	do   func() (status int, body []byte)
}

// batch answers a request about batches; ok is false where it is none.
func (c *conn) batch(r *http.Request) (open, ok bool) {
	s := c.server
	if s.settings.Batches == nil {
		return false, false
	}
	d, ok := s.batchDeed(r, c.body)
	if !ok {
		return false, false
	}
	if !d.wire.traits().keyed(r, s.settings.Key) {
		return c.sendFailure(d.wire, Unauthorized), true
	}
	s.shelf.mu.Lock()
	n := s.shelf.steps[d.step]
	if s.shelf.steps == nil {
		s.shelf.steps = map[string]int{}
	}
	s.shelf.steps[d.step]++
	s.shelf.mu.Unlock()
	fault := Fault("")
	if s.settings.Batches.Fault != nil {
		fault = s.settings.Batches.Fault(d.step, n)
	}
	switch fault {
	case "":
		status, body := d.do()
		return c.send(status, nil, body), true
	case CutBeforeHeaders:
		d.do()
		return false, true
	case CutBody:
		status, body := d.do()
		head := appendHead(nil, status, nil, contentJSON, len(body))
		_, _ = c.Write(append(head, body[:len(body)/2]...)) //nolint:errcheck // It is cut anyway.
		return false, true
	case NotJSON:
		return c.send(http.StatusOK, nil, []byte("upstream connect error or disconnect/reset before headers")), true
	default:
		return c.sendFailure(d.wire, fault), true
	}
}

// batchDeed finds out what a request wants.
func (s *Server) batchDeed(r *http.Request, body []byte) (deed, bool) {
	for _, service := range [...]func(*http.Request, []byte) (deed, bool){s.openAIDeed, s.anthropicDeed, s.geminiDeed} {
		if d, ok := service(r, body); ok {
			return d, s.settings.Wire == "" || s.settings.Wire == d.wire.traits().name || d.wire.traits().name == OpenAI && s.settings.Wire == Responses
		}
	}
	return deed{}, false
}

// refused is the answer to a request about batches that is not as it should be.
func refused(w wire, status int, why string) (int, []byte) {
	r := w.fail(failure{fault: BadRequest, message: why})
	return status, bytes.Join(r.pieces, nil)
}

// begin makes a batch.
func (s *Server) begin(b *madeBatch) *madeBatch {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	b.begun = time.Now()
	b.ID += strconv.Itoa(len(s.shelf.made) + 1)
	for _, e := range b.entries {
		b.IDs = append(b.IDs, e.id)
	}
	s.shelf.made = append(s.shelf.made, b)
	return b
}

// found gives a batch by its escaped id.
func (s *Server) found(escaped string) *madeBatch {
	id, err := url.PathUnescape(escaped)
	if err != nil {
		return nil
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	for _, b := range s.shelf.made {
		if b.ID == id && !b.Forgotten {
			return b
		}
	}
	return nil
}

// look counts a look, and ends the batch where its time has come.
func (s *Server) look(b *madeBatch) {
	script := s.settings.Batches
	s.shelf.mu.Lock()
	b.Looked++
	due := b.ended == "" && (b.Cancelled || !script.held() && b.Looked > script.Looks && script.End != BatchNever)
	if due {
		b.ended = BatchEnd(or(string(script.End), string(BatchDone)))
		if b.Cancelled {
			b.ended = BatchCancelled
		}
	}
	s.shelf.mu.Unlock()
	if due && b.ended != BatchFailed {
		s.finish(b)
	}
}

// held says that no batch ends yet.
func (b *Batches) held() bool {
	if b.Hold == nil {
		return false
	}
	select {
	case <-b.Hold:
		return false
	default:
		return true
	}
}

// finish makes the calls of a batch that has ended.
func (s *Server) finish(b *madeBatch) {
	var lines, errors [][]byte
	answered := 0
	name := b.wire.traits().name
	apart := name == OpenAI || name == Responses // What failed has a file of its own.
	for n := len(b.entries) - 1; n >= 0; n-- {
		e := &b.entries[n]
		fate := s.fate(b, n, e.id)
		switch fate {
		case LineMissing:
			continue
		case LineMalformed:
			lines = append(lines, []byte(`{"custom_id":"`+e.id+`",`))
			continue
		}
		status, body := 0, []byte(nil)
		if fate == LineRight || fate == LineTwice {
			status, body = s.callOf(b.wire, e)
			answered++
		} else if fate == LineFailed {
			r := b.wire.fail(failure{fault: BadRequest, message: "scripted to fail"})
			status, body = r.status, bytes.Join(r.pieces, nil)
		}
		line := batchLine(b.wire, e.id, fate, status, body)
		switch {
		case status != http.StatusOK && apart:
			errors = append(errors, line)
		case fate == LineTwice:
			lines = append(lines, line, line)
		default:
			lines = append(lines, line)
		}
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	b.lines, b.errors, b.Answered = lines, errors, answered
}

// fate says what becomes of a call.
func (s *Server) fate(b *madeBatch, n int, id string) BatchLine {
	if s.settings.Batches.Line != nil {
		if f := s.settings.Batches.Line(n, id); f != "" {
			return f
		}
	}
	switch {
	case b.ended == BatchExpired && n%2 == 1:
		return LineExpired
	case b.ended == BatchCancelled && n%2 == 1:
		return LineCancelled
	default:
		return LineRight
	}
}

// callOf answers a call of a batch as a direct one.
func (s *Server) callOf(w wire, e *entry) (status int, body []byte) {
	r := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: e.path},
		Header: http.Header{"Content-Type": {contentJSON}, "Anthropic-Version": {anthropicVersion}},
	}
	p := s.parse(w, e.body, r)
	k, key := s.complete(&p, true)
	x := exchange{conn: &conn{server: s}, wire: w, record: Exchange{Request: p.Request}}
	chosen := choice{}
	switch {
	case p.bad != "":
		chosen.Fault, x.message, x.rng = Fault(or(string(p.fault), string(BadRequest))), p.bad, chance(s, &p)
	default:
		chosen, x.rng = s.choose(&p, k, key)
	}
	x.reply, x.record.Fault = chosen.Reply, chosen.Fault
	answer, failed := x.refusal()
	if !failed {
		answer = x.render()
	}
	return answer.status, bytes.Join(answer.pieces, nil)
}

// batchLine writes a result in the form of a service.
func batchLine(w wire, id string, fate BatchLine, status int, body []byte) []byte {
	switch w.(type) {
	case anthropic:
		return anthropicLine(id, fate, status, body)
	case gemini:
		return geminiLine(id, fate, status, body)
	default:
		return openAILine(id, fate, status, body)
	}
}

// raw takes a text of JSON as a value.
func raw(text []byte) value.Value {
	v, err := value.Decode(text, value.Limits{})
	if err != nil {
		return value.String(hex.EncodeToString(text))
	}
	return v
}

// Package providertest is a scripted model service over real HTTP, for tests and benchmarks. It is never part of an answer in production.
//
// It speaks the wire forms of all dialects ([Wires]), whole and streamed: each lies in a file of its own, and what its service takes as a request in a JSON Schema
// under requests, to which requests are held. A request that carries a schema (in its native place, in a forced tool, in a grammar, or in the prompt) is
// answered with a valid instance that is made up by chance and seed; a queue of replies, or a function, can say otherwise. On top of that it fails as services
// do, by shares of all requests: answers that break the schema, answers in broken JSON of every kind that package repair knows, truncation, refusals, errors
// in each service's own words, and faults at the wire such as cut, stalled and miscounted answers.
//
// In a test:
//
//	service := providertest.New(t, providertest.Settings{Seed: 1})
//	account.BaseURL = service.URL() + "/v1" // openai and openai-responses; gemini takes /v1beta, the others service.URL() as it is
//	service.Queue(providertest.Reply{Status: 503}, providertest.Reply{Text: `{"n": 1}`})
//	… service.Exchanges() …
//
// The main type is [Server]; [Listen] starts one outside of tests, and the command scripted-provider is that. What happens to a request depends on the
// seed, the request's body and how often that body came before, and on nothing else, so that runs repeat whatever the timing. The server writes HTTP/1.1
// by hand: faults at the wire need that, and without faults and records a body that comes again is answered from memory in a few microseconds.
package providertest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/repair"
)

// Settings say how a server answers. The zero value answers every request at once, validly and truthfully.
type Settings struct {
	// Seed is where all chance begins.
	Seed uint64
	// Wire is the one wire form that is spoken, strictly: requests that are not as its service takes them are refused. Empty speaks all, by the request's address:
	// chat completions then take what any service of their form does, the others are as strict.
	Wire Wire
	// NoVision refuses requests with images.
	NoVision bool
	// Key is the key that requests must bring, in the wire form's own header; empty lets everyone in. Bedrock's requests are signed or bring a bearer key in
	// any case; the key is then that of the signature's credential.
	Key string
	// Models are named by GET /v1/models; requests may name any.
	Models []string
	// Latency is the wait before the first byte, TokenLatency that between two tokens of a stream.
	Latency, TokenLatency time.Duration
	// Text is the answer to every request; empty makes one up.
	Text string
	// Answer gives the right answer to a request, to which the shares apply; false makes one up. It is called from many goroutines, when the
	// request has come and before anything else happens.
	Answer func(Request) (text string, ok bool)
	// Shares of all requests that go wrong.
	Shares Shares
	// Faults are the faults that Shares.Transport draws from; none means Transient().
	Faults []Fault
	// Damage are the kinds of damage that Shares.Malformed draws from; none means all.
	Damage []repair.Kind
	// RetryAfter is the wait that a 429 or 503 asks for; 20 ms by default.
	RetryAfter time.Duration
	// Slow is the wait of a slow first byte (300 ms by default), Stall how long a stalled answer is kept open before it is cut (2 s by default).
	Slow, Stall time.Duration
	// Drip is the wait between two bytes of the fault Drip; 1 ms by default.
	Drip time.Duration
	// NoLogprobs and NoUsage make a service that does not give them, whatever is asked.
	NoLogprobs, NoUsage bool
	// Batches are the service's; nil is a service without any.
	Batches *Batches
	// Keep is how many of the last exchanges are kept for Exchanges; 0 is 1,000 for New and none for Listen, less than 0 is none.
	Keep int
}

// Shares are shares of all requests, between 0 and 1; what is left of 1 is answered validly.
type Shares struct {
	// Transport is the share of faults at or below HTTP.
	Transport float64
	// Invalid is the share of answers that are JSON and break the schema.
	Invalid float64
	// Malformed is the share of right answers in damaged JSON.
	Malformed float64
	// Truncated answers end early for length, Refused ones refuse, Filtered ones were stopped by a content filter.
	Truncated, Refused, Filtered float64
}

func (s Shares) check() error {
	sum := 0.0
	for _, share := range [...]float64{s.Transport, s.Invalid, s.Malformed, s.Truncated, s.Refused, s.Filtered} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("scripted provider: a share is between 0 and 1, not %v", share)
		}
		sum += share
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("scripted provider: the shares add up to %v, which is more than 1", sum)
	}
	return nil
}

// Server is a running scripted provider. It is safe for concurrent use.
type Server struct {
	settings Settings
	listener net.Listener
	closing  chan struct{} // closed by Close
	requests atomic.Int64
	inFlight atomic.Int64
	accepted sync.WaitGroup
	memory   memory
	checks   checks
	shelf    shelf

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	queue []Reply
	kept  []*Exchange // a ring: next is where the next one goes
	next  int
	seen  map[digest]int // how often a body came
}

// New starts a server on a free port of the loopback interface and ends it with the test.
func New(tb testing.TB, s Settings) *Server {
	tb.Helper()
	const keep = 1000
	if s.Keep == 0 {
		s.Keep = keep
	}
	server, err := Listen("127.0.0.1:0", s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server
}

// Listen starts a server on an address.
func Listen(address string, s Settings) (*Server, error) {
	if err := s.Shares.check(); err != nil {
		return nil, err
	}
	for _, f := range s.Faults {
		if !f.known() {
			return nil, fmt.Errorf("scripted provider: there is no fault %q", string(f))
		}
	}
	if !s.Wire.known() {
		return nil, fmt.Errorf("scripted provider: there is no wire form %q", string(s.Wire))
	}
	if s.RetryAfter <= 0 {
		s.RetryAfter = 20 * time.Millisecond
	}
	if s.Slow <= 0 {
		s.Slow = 300 * time.Millisecond
	}
	if s.Stall <= 0 {
		s.Stall = 2 * time.Second
	}
	if s.Drip <= 0 {
		s.Drip = time.Millisecond
	}
	if len(s.Faults) == 0 {
		s.Faults = Transient()
	}
	listener, err := net.Listen("tcp", address) //nolint:noctx // It lives until Close.
	if err != nil {
		return nil, fmt.Errorf("scripted provider: %w", err)
	}
	server := &Server{settings: s, listener: listener, closing: make(chan struct{}), conns: map[net.Conn]struct{}{}, seen: map[digest]int{}}
	server.accepted.Add(1)
	go server.accept()
	return server, nil
}

// URL is the server's address without a path. The dialects openai and openai-responses take it with /v1 behind it, gemini with /v1beta, the others as it is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Requests counts the requests for answers that came, those of a wrong form too.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// InFlight counts the requests that are being answered.
func (s *Server) InFlight() int { return int(s.inFlight.Load()) }

// Queue adds replies that the next requests get, one each, in this order and exactly as they are: shares do not apply to them.
func (s *Server) Queue(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, replies...)
}

// Queued counts the replies that are still to be given.
func (s *Server) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Exchanges gives the last exchanges in the order in which they came. Whoever has an answer finds its exchange there; one that is still under way says
// what is known so far.
func (s *Server) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Exchange, 0, len(s.kept))
	for i := range s.kept {
		out = append(out, *s.kept[(s.next+i)%len(s.kept)])
	}
	return out
}

// keep takes a record into the ring.
func (s *Server) keep(e *Exchange) {
	if s.settings.Keep <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) < s.settings.Keep {
		s.kept = append(s.kept, e)
		return
	}
	s.kept[s.next] = e
	s.next = (s.next + 1) % len(s.kept)
}

// Close cuts all connections and waits for what is under way. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.closing:
	default:
		close(s.closing)
	}
	_ = s.listener.Close() //nolint:errcheck // It is gone either way.
	for c := range s.conns {
		_ = c.Close() //nolint:errcheck // Likewise.
	}
	s.mu.Unlock()
	s.accepted.Wait()
}

func (s *Server) accept() {
	defer s.accepted.Done()
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select { // Out of file descriptors, for one: pause instead of turning in circles.
			case <-s.closing:
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		s.mu.Lock()
		select {
		case <-s.closing:
			_ = c.Close() //nolint:errcheck // Likewise.
		default:
			s.conns[c] = struct{}{}
			s.accepted.Add(1)
			go s.serve(c)
		}
		s.mu.Unlock()
	}
}

package chaos

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What the scripted model costs, in nano-dollars a token: a dollar and two dollars a million.
const (
	inputNanos  = 1000
	outputNanos = 2000
	// outputTokens is what each answer is said to have.
	outputTokens = 12
	// bytesToken is how the service counts: a token for so many bytes of what it was sent. It is more than the three that promptd takes where nobody says.
	bytesToken = 4
)

// account is a service that a model of promptd asks, with a ledger of its own. It finds out what is asked by the mark in the prompt.
type account struct {
	*httptest.Server
	// ill says that some calls fail: two of a hundred by a 500, two by a 429, one by a connection that breaks.
	ill bool
	// slow is how long an answer takes at least; up to as much is added, by the prompt.
	slow atomic.Int64 // Nanoseconds.

	mu sync.Mutex

	calls map[string]int64 // By prompt.
	log   []*asked
	// now counts the calls under way.
	now int
}

// asked is one call as the service saw it: when it came and ended, from which process, what it cost in nano-dollars, and the answer, where there was one.
type asked struct {
	name, process string
	at, till      time.Time
	cost          int64
	answer        string
	// unheard says that nobody was there for the answer, or went away while it was written. Nobody but the service knows what it cost.
	unheard bool
}

// mark is how a prompt is known again: a name of the test's run, and the number that is the answer.
var mark = regexp.MustCompile(`Item ([a-z0-9]+-(\d+))`)

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{calls: map[string]int64{}}
	a.slow.Store(int64(5 * time.Millisecond))
	a.Server = httptest.NewServer(http.HandlerFunc(a.answer))
	t.Cleanup(a.Close)
	return a
}

// prompt is a prompt whose answer is the number.
func prompt(run string, n int) string {
	return fmt.Sprintf("Item %s-%d: how many are there?", run, n)
}

func (a *account) answer(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // Nothing was asked: the caller was killed while it sent.
	}
	m := mark.FindStringSubmatch(string(raw))
	if m == nil {
		http.Error(w, `{"error":{"message":"no mark in the prompt","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	name, input := m[1], int64(len(raw)/bytesToken)
	one := &asked{name: name, process: r.Header.Get("X-Process"), at: time.Now()}
	chance, slow := draw(name, a.begin(one)), time.Duration(a.slow.Load())
	defer a.end(one)
	select {
	case <-time.After(slow + slow*time.Duration(chance%100)/100):
	case <-r.Context().Done(): // The caller is gone: services charge what they have read.
		one.cost, one.unheard = input*inputNanos, true
		return
	}
	if a.ill && a.fail(w, one, chance/100%100) {
		return
	}
	one.cost, one.answer = input*inputNanos+outputTokens*outputNanos, m[2]
	body := `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{\"n\":` + m[2] +
		`}"}}],"usage":{"prompt_tokens":` + strconv.FormatInt(input, 10) + `,"completion_tokens":` + strconv.Itoa(outputTokens) + `,"total_tokens":` + strconv.FormatInt(input+outputTokens, 10) + `}}`
	w.Header().Set("Content-Type", "application/json")
	one.till = time.Now() // Whoever gets the answer may be quicker than this handler.
	_, err = io.WriteString(w, body)
	one.unheard = err != nil || r.Context().Err() != nil
}

// begin writes a call down, and gives its number among those of its prompt.
func (a *account) begin(one *asked) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[one.name]++
	a.now++
	return a.calls[one.name]
}

// end writes the end of a call down.
func (a *account) end(one *asked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one.till.IsZero() {
		one.till = time.Now()
	}
	a.log = append(a.log, one)
	a.now--
}

// fail answers some calls with a fault.
func (a *account) fail(w http.ResponseWriter, one *asked, chance uint64) bool {
	switch {
	case chance < 2:
		http.Error(w, `{"error":{"message":"the server is in trouble","type":"server_error"}}`, http.StatusInternalServerError)
	case chance < 4:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":{"message":"slow down","type":"rate_limit_error"}}`, http.StatusTooManyRequests)
	case chance < 5:
		one.unheard = true
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// ended gives the calls that have ended.
func (a *account) ended() []*asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.log)
}

// times says how often a prompt came.
func (a *account) times(name string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[name]
}

func (a *account) underWay() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// draw is chance that is the same in every run.
func draw(name string, n int64) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strings.Join([]string{name, strconv.FormatInt(n, 10)}, "/")) //nolint:errcheck // A hash takes everything.
	// The low bits of FNV hang together for texts that differ at the end.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

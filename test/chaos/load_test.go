package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/test/history"
)

// schemaN is the schema of every prompt: a number.
const schemaN = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`

// order is a job that a caller wants done, and what became of it.
type order struct {
	n       int
	numbers []int
	batch   bool
	body    []byte
	// id is the job's, once it was accepted; receipts are all that were given for it.
	id       string
	receipts []accepted
	// reads are the job as it was read, in the order of the answers.
	reads []*final
}

// accepted is an answer to a submission.
type accepted struct {
	id string
	at time.Time
}

// over says that the job was read behind its end.
func (o *order) over() bool { return len(o.reads) > 0 && o.reads[len(o.reads)-1].ended() }

// final is a job as its caller reads it; of one that is over also what became of its items.
type final struct {
	Status      string
	Run         int
	CompletedAt string `json:"completed_at"`
	Progress    history.Progress
	Result      json.RawMessage
	// since is when the question was sent, and at when the answer was there.
	since, at time.Time
	// answers are the numbers of the items in their order; -1 where an item failed.
	answers []int
	raw     string
}

// ended says that nothing more becomes of the job.
func (f *final) ended() bool { return f.Status != "pending" && f.Status != "processing" }

// caller is who sends load to a world. Each request has a time limit, and goes to whichever address is next.
type caller struct {
	w    *world
	http *http.Client
	// base gives the address of the next request.
	base func() string
	next atomic.Int64

	mu sync.Mutex

	faults []string
	counts map[string]int
}

// newCaller makes a caller of the world's processes that have the API.
func newCaller(w *world) *caller {
	c := &caller{w: w, http: &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, counts: map[string]int{}}
	apis := w.of("api")
	c.base = func() string { return apis[int(c.next.Add(1))%len(apis)].url() }
	w.t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// wrong notes what must not be.
func (c *caller) wrong(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) < 50 {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

func (c *caller) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

func (c *caller) counted(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[what]
}

// newOrder makes the n-th order of a run: four of five are one prompt, the others 2 to 8.
func (w *world) newOrder(n int, r *rand.Rand) *order {
	o := &order{n: n, batch: r.IntN(5) == 0}
	size := 1
	if o.batch {
		size = 2 + r.IntN(7)
	}
	for k := range size {
		o.numbers = append(o.numbers, n*10+k)
	}
	what := `"prompt":` + strconv.Quote(prompt(w.run, o.numbers[0]))
	if o.batch {
		var items []string
		for _, number := range o.numbers {
			items = append(items, `{"id":"`+strconv.Itoa(number)+`","prompt":`+strconv.Quote(prompt(w.run, number))+`}`)
		}
		what = `"items":[` + strings.Join(items, ",") + `]`
	}
	priority := []string{"low", "normal", "normal", "high"}[r.IntN(4)]
	o.body = []byte(`{` + what + `,"schema":` + schemaN + `,"options":{"max_tokens":50},"priority":"` + priority + `","webhook":{"url":"` + w.receiver.URL + `/hook","secret":"` + w.receiver.secret + `"}}`)
	return o
}

// answer is what a request got.
type answer struct {
	status     int
	body       []byte
	retryAfter string
}

// ask sends one request.
func (c *caller) ask(method, base, path string, body []byte, idempotency string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if c.w.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.w.key)
	}
	req.Header.Set("Content-Type", "application/json")
	if idempotency != "" {
		req.Header.Set("Idempotency-Key", idempotency)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	raw, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, raw, resp.Header.Get("Retry-After")}, errors.Join(err, resp.Body.Close())
}

// passing says that a status may be there while something is away: whoever gets it tries again.
func passing(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusBadGateway || status == http.StatusGatewayTimeout || status == http.StatusTooManyRequests
}

// persist asks until there is an answer that is no passing fault, for up to five minutes.
func (c *caller) persist(method, path string, body []byte, idempotency string) (answer, error) {
	var last answer
	var err error
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		last, err = c.ask(method, c.base(), path, body, idempotency)
		switch {
		case err != nil:
			c.count("no answer")
		case passing(last.status):
			c.count(strconv.Itoa(last.status))
			if last.status == http.StatusServiceUnavailable && last.retryAfter == "" {
				c.wrong("a 503 without Retry-After: %s", last.body)
			}
		default:
			return last, nil
		}
		<-time.After(100*time.Millisecond + rand.N(200*time.Millisecond))
	}
	return last, fmt.Errorf("%s %s: five minutes without an answer: %d %s, %w", method, path, last.status, last.body, errors.Join(err, errBound))
}

// submit sends an order until it is accepted, under one idempotency key; one of eight is sent again behind that, and must be the same job.
func (c *caller) submit(o *order) {
	key := "order-" + c.w.run + "-" + strconv.Itoa(o.n)
	again := 1
	if o.n%8 == 0 {
		again = 2
	}
	for range again {
		got, err := c.persist(http.MethodPost, "/v1/jobs", o.body, key)
		var receipt struct {
			JobID string `json:"job_id"`
		}
		if err != nil || got.status != http.StatusAccepted || json.Unmarshal(got.body, &receipt) != nil || receipt.JobID == "" {
			c.wrong("order %d was answered %d %s, %v", o.n, got.status, got.body, err)
			return
		}
		if o.id != "" && o.id != receipt.JobID {
			c.wrong("order %d is two jobs: %s and %s", o.n, o.id, receipt.JobID)
		}
		o.id = receipt.JobID
		o.receipts = append(o.receipts, accepted{o.id, time.Now()})
	}
	c.count("accepted")
}

// read reads a job, and its results where it is over.
func (c *caller) read(o *order) (*final, error) {
	f, err := c.readOnce(o)
	if err == nil {
		o.reads = append(o.reads, f)
	}
	return f, err
}

func (c *caller) readOnce(o *order) (*final, error) {
	since := time.Now()
	got, err := c.persist(http.MethodGet, "/v1/jobs/"+o.id, nil, "")
	if err != nil {
		return nil, err
	}
	f := &final{raw: string(got.body), since: since, at: time.Now()}
	if got.status != http.StatusOK || json.Unmarshal(got.body, f) != nil {
		return nil, fmt.Errorf("job %s was answered %d %s", o.id, got.status, got.body)
	}
	if !f.ended() {
		return f, nil
	}
	if !o.batch {
		f.answers = []int{numberOf(f.Result)}
		return f, nil
	}
	got, err = c.persist(http.MethodGet, "/v1/jobs/"+o.id+"/results", nil, "")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(got.body) {
		var item struct {
			ID     string
			Result json.RawMessage
			Error  json.RawMessage
		}
		if err := json.Unmarshal(line, &item); err != nil {
			return nil, fmt.Errorf("a line of results: %s: %w", line, err)
		}
		if item.ID == "" { // The store went away meanwhile, and the last line says so.
			return c.readOnce(o)
		}
		f.answers = append(f.answers, numberOf(item.Result))
		f.raw += string(line)
	}
	return f, nil
}

// numberOf gives the number in an answer; -1 where there is none.
func numberOf(result json.RawMessage) int {
	got := struct {
		Data *struct{ N int }
		VS   string `json:"validation_status"`
	}{}
	if json.Unmarshal(result, &got) != nil || got.Data == nil || got.VS != "passed" {
		return -1
	}
	return got.Data.N
}

// analyze sends a sync request.
func (c *caller) analyze(base string, number int, options string) (answer, error) {
	return c.ask(http.MethodPost, base, "/v1/analyze",
		[]byte(`{"prompt":`+strconv.Quote(prompt(c.w.run, number))+`,"schema":`+schemaN+`,"options":{"max_tokens":50`+options+`}}`), "")
}

// chat sends a sync request of which a passing fault is no wonder, and whose answer must be right.
func (c *caller) chat(number int) {
	got, err := c.analyze(c.base(), number, "")
	switch {
	case err != nil:
		c.count("sync: no answer")
	case got.status == http.StatusOK:
		c.count("sync: answered")
		if n := numberOf(got.body); n != number {
			c.wrong("prompt %d was answered %s", number, got.body)
		}
	case passing(got.status):
		c.count("sync: " + strconv.Itoa(got.status))
	default:
		c.wrong("prompt %d was answered %d %s", number, got.status, got.body)
	}
}

package router

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// service is a simulated model service: an http.RoundTripper without a network. Its figures are fixed before it is asked; moments change them.
type service struct {
	name  string
	seed  uint64
	began time.Time

	// median and spread are those of a log-normal latency; spread 0.6 has a 95th percentile of 2.7 medians.
	median time.Duration
	spread float64
	// fails is the share of calls that end in a 500, invalid that of answers that break the schema.
	fails, invalid float64
	// capacity is how many calls it serves at once; further ones get a 429 that asks to wait. 0 is no bound.
	capacity int
	// tokens are those of an answer.
	tokens int
	// moments are what happens to it in the run.
	moments []moment

	calls, turned atomic.Int64 // all, and those answered 429
	inside        atomic.Int64

	mu   sync.Mutex
	seen map[uint64]int
}

// moment is a time in which a service is another.
type moment struct {
	from, to time.Duration
	// dead services hang, refused ones answer 503 at once.
	dead, refused bool
	// slower multiplies the latency where it is not 0; fails and capacity replace the service's own where they are not 0.
	slower, fails float64
	capacity      int
}

var asked = regexp.MustCompile(`request ([0-9]+)\.`)

// RoundTrip answers a request when its time has come.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	at := time.Since(s.began)
	chance := s.chance(body)
	s.calls.Add(1)
	m := s.at(at)
	if m.dead {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if m.refused {
		return respond(r, http.StatusServiceUnavailable, nil, `{"error":{"message":"down"}}`), nil
	}
	if n := s.inside.Add(1); m.capacity > 0 && n > int64(m.capacity) {
		s.inside.Add(-1)
		s.turned.Add(1)
		return respond(r, http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}, `{"error":{"message":"slow down","type":"requests"}}`), nil
	}
	defer s.inside.Add(-1)
	timer := time.NewTimer(time.Duration(float64(s.median) * math.Exp(s.spread*chance.NormFloat64()) * max(1, m.slower)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	switch draw := chance.Float64(); {
	case draw < m.fails:
		return respond(r, http.StatusInternalServerError, nil, `{"error":{"message":"oops"}}`), nil
	case draw < m.fails+(1-m.fails)*s.invalid:
		return respond(r, http.StatusOK, nil, s.completion(`{\"n\":\"none\"}`)), nil
	default:
		return respond(r, http.StatusOK, nil, s.completion(`{\"n\":7}`)), nil
	}
}

// at gives the service as it is at a time.
func (s *service) at(now time.Duration) moment {
	m := moment{fails: s.fails, capacity: s.capacity}
	for _, then := range s.moments {
		if now >= then.from && now < then.to {
			m.dead, m.refused, m.slower = then.dead, then.refused, then.slower
			if then.fails > 0 {
				m.fails = then.fails
			}
			if then.capacity > 0 {
				m.capacity = then.capacity
			}
		}
	}
	return m
}

// chance is that of the request's n-th call here.
func (s *service) chance(body []byte) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, s.name)
	var id uint64
	if m := asked.FindSubmatch(body); m != nil {
		id, _ = strconv.ParseUint(string(m[1]), 10, 64)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[uint64]int{}
	}
	_ = binary.Write(h, binary.LittleEndian, [2]uint64{id, uint64(s.seen[id])})
	s.seen[id]++
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

func (s *service) completion(text string) string {
	return `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":400,"completion_tokens":` + strconv.Itoa(s.tokens) + `,"total_tokens":` + strconv.Itoa(400+s.tokens) + `}}`
}

func respond(r *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), Request: r}
}

package providertest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostBody bounds a request's body.
const mostBody = 64 << 20

// conn is a client's connection, used by one goroutine; a second one only watches it while the first waits.
type conn struct {
	net.Conn
	in     *bufio.Reader
	body   []byte // of the request under way; used again for the next
	server *Server
}

func (s *Server) serve(c net.Conn) {
	defer s.accepted.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close() //nolint:errcheck // It may have been closed on purpose.
	}()
	const buffer = 16 << 10
	client := &conn{Conn: c, in: bufio.NewReaderSize(c, buffer), server: s}
	for {
		r, err := http.ReadRequest(client.in)
		if err != nil {
			return
		}
		if !client.readBody(r) || !client.answer(r) || r.Close {
			return
		}
	}
}

func (c *conn) readBody(r *http.Request) bool {
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return false
		}
	}
	if n := r.ContentLength; n >= 0 && n <= mostBody {
		c.body = slices.Grow(c.body[:0], int(n))[:n]
		_, err := io.ReadFull(r.Body, c.body)
		return err == nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, mostBody+1))
	c.body = body
	return err == nil && len(body) <= mostBody
}

// answer answers a request and reports whether the connection stays open.
func (c *conn) answer(r *http.Request) bool {
	s := c.server
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	if open, ok := c.batch(r); ok {
		return open
	}
	w, ok := s.wireOf(r)
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/health":
		return c.send(http.StatusOK, nil, []byte(`{"status":"ok"}`))
	case ok && !w.traits().keyed(r, s.settings.Key):
		return c.sendFailure(w, Unauthorized)
	case !ok && !bearer(r, s.settings.Key):
		return c.sendFailure(chat{}, Unauthorized)
	case ok && r.Method == http.MethodPost:
		return c.complete(w, r)
	case ok:
		return c.send(http.StatusMethodNotAllowed, http.Header{"Allow": {"POST"}}, errorBody("Method not allowed.", "invalid_request_error", ""))
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models"):
		return c.send(http.StatusOK, nil, s.models())
	default:
		return c.send(http.StatusNotFound, nil, errorBody("Unknown request URL.", "invalid_request_error", "unknown_url"))
	}
}

// sendFailure sends an error in the wire form's words.
func (c *conn) sendFailure(w wire, fault Fault) bool {
	r := w.fail(failure{fault: fault})
	_, err := c.Write(append(appendHead(nil, r.status, r.header, r.contentType, r.size()), bytes.Join(r.pieces, nil)...))
	return err == nil
}

func (s *Server) models() []byte {
	names := s.settings.Models
	if len(names) == 0 {
		names = []string{defaultModel}
	}
	dst := []byte(`{"object":"list","data":[`)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(quoted(append(dst, `{"id":`...), name), `,"object":"model","created":`...)
		dst = append(strconv.AppendInt(dst, created, 10), `,"owned_by":"scripted"}`...)
	}
	return append(dst, `]}`...)
}

// plain reports whether the answer to a body depends on the body alone, so that it may come from memory.
func (s *Server) plain() bool {
	set := &s.settings
	if set.Keep > 0 || set.Answer != nil || set.TokenLatency > 0 || set.Shares != (Shares{}) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) == 0
}

// complete answers a request for an answer.
func (c *conn) complete(w wire, r *http.Request) bool {
	s := c.server
	n := int(s.requests.Add(1))
	plain := s.plain()
	if plain {
		if response, ok := s.memory.response(r.URL.Path, c.body); ok {
			if left := c.wait(s.settings.Latency, nil); left {
				return false
			}
			_, err := c.Write(response)
			return err == nil
		}
	}
	if !plain {
		c.body = slices.Clone(c.body) // The record, and whoever is asked for an answer, may keep it.
	}
	p := s.parse(w, c.body, r)
	p.N = n
	k, key := s.complete(&p, !plain)
	p.Bad = p.bad
	reply, queued := s.dequeue(&p)
	x := exchange{conn: c, wire: w, record: Exchange{Request: p.Request, Class: Scripted}, reply: reply}
	chosen, rng := choice{Reply: x.reply, class: Scripted}, chance(s, &p)
	switch {
	case queued:
	case p.bad != "":
		chosen.Fault, x.message = Fault(or(string(p.fault), string(BadRequest))), p.bad
	default:
		chosen, rng = s.choose(&p, k, key)
	}
	x.reply, x.record.Class, x.record.Damage, x.record.Fault, x.rng = chosen.Reply, chosen.class, chosen.damage, chosen.Fault, rng
	if !plain || x.record.Fault != "" {
		if s.settings.Keep > 0 {
			x.kept = new(Exchange)
			*x.kept = x.record
			s.keep(x.kept)
		}
		return x.run()
	}
	response := x.ordinary()
	s.memory.rememberResponse(r.URL.Path, c.body, response, p.digest)
	if left := c.wait(s.settings.Latency, nil); left {
		return false
	}
	_, err := c.Write(response)
	return err == nil
}

// dequeue counts the body and takes the next reply of the queue.
func (s *Server) dequeue(p *parsed) (Reply, bool) {
	const mostSeen = 1 << 20
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings.Shares != (Shares{}) || s.settings.Keep > 0 || s.settings.Answer != nil {
		if len(s.seen) >= mostSeen {
			clear(s.seen)
		}
		p.Repeat = s.seen[p.digest]
		s.seen[p.digest]++
	}
	if len(s.queue) == 0 {
		return Reply{}, false
	}
	reply := s.queue[0]
	s.queue = s.queue[1:]
	return reply, true
}

const contentJSON = "application/json"

// send writes a whole answer of JSON.
func (c *conn) send(status int, header http.Header, body []byte) bool {
	_, err := c.Write(append(appendHead(nil, status, header, contentJSON, len(body)), body...))
	return err == nil
}

// appendHead writes the status line and the headers; a length below 0 is left out, so that the body is chunked.
func appendHead(dst []byte, status int, header http.Header, contentType string, length int) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10)
	dst = append(append(append(dst, ' '), http.StatusText(status)...), "\r\nContent-Type: "...)
	dst = append(append(dst, contentType...), "\r\n"...)
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range header[name] {
			dst = append(append(append(append(dst, name...), ": "...), v...), "\r\n"...)
		}
	}
	if length >= 0 {
		dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(length), 10)
	} else {
		dst = append(dst, "Transfer-Encoding: chunked"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// wait waits for a time, or for a channel where there is one, and reports whether the client went away meanwhile, or the server closes.
func (c *conn) wait(d time.Duration, hold <-chan struct{}) (left bool) {
	if d <= 0 && hold == nil {
		return false
	}
	gone, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		// A byte that comes belongs to the next request: the client is there.
		if _, err := c.in.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			close(gone)
		}
	}()
	var elapsed <-chan time.Time
	if hold == nil || d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-elapsed:
	case <-hold:
	case <-gone:
		left = true
	case <-c.server.closing:
		left = true
	}
	_ = c.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // A closed connection ends the read as well.
	<-watched
	_ = c.SetReadDeadline(time.Time{}) //nolint:errcheck // Likewise.
	select {
	case <-gone:
		return true
	default:
		return left
	}
}

package providertest

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// exchange is one request on its way to its answer.
type exchange struct {
	conn    *conn
	wire    wire
	record  Exchange
	kept    *Exchange // the record as others see it; nil where none is kept
	reply   Reply
	message string // what is wrong with the request, in the words of its refusal
	rng     *rand.Rand
}

// chance is the source of an exchange whose reply was not drawn.
func chance(s *Server, p *parsed) *rand.Rand {
	return rand.New(rand.NewPCG(s.settings.Seed^p.digest.word(0), p.digest.word(1)+uint64(p.Repeat))) //nolint:gosec // Chance that repeats is the point.
}

// response is what goes over the wire: the head, and the body in pieces, each of them an event where it is a stream.
type response struct {
	status      int
	header      http.Header
	contentType string
	pieces      [][]byte
	stream      bool
}

func (r *response) size() int {
	n := 0
	for _, p := range r.pieces {
		n += len(p)
	}
	return n
}

// render makes the response of a reply without a fault.
func (x *exchange) render() response {
	reply, request := &x.reply, &x.record.Request
	traits := x.wire.traits()
	r := response{status: reply.Status, header: reply.Header, contentType: contentJSON}
	if t := reply.Header.Get("Content-Type"); t != "" {
		r.contentType = t
		r.header = reply.Header.Clone()
		r.header.Del("Content-Type")
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.status != http.StatusOK || reply.Body != "" {
		r.pieces = [][]byte{[]byte(reply.Body)}
		if r.status == http.StatusOK && request.Stream && reply.Header.Get("Content-Type") == "" {
			r.contentType, r.stream = traits.streamType, true
		}
		return r
	}
	m := x.conn.server.message(request, reply, traits, x.rng)
	x.record.Text = m.text()
	if m.stop == stopFiltered && !traits.filters {
		return x.wire.fail(x.failure(ContentBlocked))
	}
	header := traits.header(requestID(&request.digest))
	for name, values := range r.header {
		if header == nil {
			header = http.Header{}
		}
		header[name] = values
	}
	r.header = header
	if request.Stream {
		r.contentType, r.stream, r.pieces = traits.streamType, true, x.wire.stream(&m)
	} else {
		r.pieces = [][]byte{x.wire.whole(&m)}
	}
	return r
}

// failure is what an error says about this exchange.
func (x *exchange) failure(of Fault) failure {
	const forms = 5
	f := failure{
		fault: of, message: x.message, wait: x.conn.server.settings.RetryAfter, id: requestID(&x.record.digest), streamed: x.record.Stream,
	}
	if of == RateLimited {
		f.form = x.rng.IntN(forms)
	}
	return f
}

// ordinary gives the bytes of an answer without faults and waits.
func (x *exchange) ordinary() []byte {
	r := x.render()
	body := bytes.Join(r.pieces, nil)
	if !r.stream {
		return append(appendHead(make([]byte, 0, len(body)+256), r.status, r.header, r.contentType, len(body)), body...)
	}
	return append(appendChunk(appendHead(nil, r.status, r.header, r.contentType, -1), body), lastChunk...)
}

const lastChunk = "0\r\n\r\n"

func appendChunk(dst, data []byte) []byte {
	dst = append(strconv.AppendInt(dst, int64(len(data)), 16), "\r\n"...)
	return append(append(dst, data...), "\r\n"...)
}

// run answers, with the fault that was chosen, and reports whether the connection stays open.
func (x *exchange) run() bool {
	s := x.conn.server
	wait := s.settings.Latency + x.reply.Delay
	if x.record.Fault == SlowFirstByte {
		wait += s.settings.Slow
	}
	if x.away(x.conn.wait(wait, nil)) {
		return false
	}
	if refused, ok := x.refusal(); ok {
		x.record.Status = refused.status
		x.tell()
		return x.write(refused, -1)
	}
	r := x.render()
	if x.record.Fault != CutBeforeHeaders {
		x.record.Status = r.status
	}
	x.tell()
	size := r.size()
	switch x.record.Fault {
	case CutBeforeHeaders:
		return x.cut()
	case EmptyBody:
		r.pieces, r.stream = nil, false
		return x.write(r, -1)
	case NoEnd:
		return x.unended(r)
	case ErrorInside:
		return x.errorInside(r)
	case CutBody:
		x.write(r, x.place(size))
		return x.cut()
	case Reset:
		x.write(r, x.place(size))
		return x.reset()
	case Stalled:
		if x.rng.IntN(3) > 0 {
			x.write(r, x.place(size))
		}
		x.away(x.conn.wait(s.settings.Stall, nil))
		return x.cut()
	case StalledFirst, StalledLater:
		return x.stalled(r, size)
	case Drip:
		return x.drip(r)
	case Oversize:
		return x.oversize(r)
	case Garbage:
		return x.garbage(r)
	case Trailing:
		r.pieces = append(r.pieces, []byte("\x00}]trailing\n\n"))
		return x.write(r, -1)
	case LengthTooLong, LengthTooShort:
		return x.miscounted(r, size)
	default:
		if x.reply.Hold == nil {
			return x.write(r, -1)
		}
		return x.held(r)
	}
}

// away notes that the client is gone.
func (x *exchange) away(left bool) bool {
	if left {
		x.record.Left = true
		x.tell()
	}
	return left
}

// tell shows others the record as it is now.
func (x *exchange) tell() {
	if x.kept == nil {
		return
	}
	s := x.conn.server
	s.mu.Lock()
	defer s.mu.Unlock()
	*x.kept = x.record
}

// write sends a response, or its head and that many bytes of its body; most below 0 is all of it. It reports whether the connection is still of use.
func (x *exchange) write(r response, most int) bool {
	token := x.conn.server.settings.TokenLatency + x.reply.TokenDelay
	length := -1
	if !r.stream {
		length = r.size()
	}
	out := appendHead(nil, r.status, r.header, r.contentType, length)
	for i, piece := range r.pieces {
		if most >= 0 && len(piece) > most {
			piece = piece[:most]
		}
		if most >= 0 {
			most -= len(piece)
		}
		if r.stream && len(piece) > 0 {
			out = appendChunk(out, piece)
		} else {
			out = append(out, piece...)
		}
		if most == 0 {
			x.flush(out)
			return false
		}
		if token > 0 && r.stream && i < len(r.pieces)-1 {
			if !x.flush(out) || x.away(x.conn.wait(token, nil)) {
				return false
			}
			out = out[:0]
		}
	}
	if r.stream {
		out = append(out, lastChunk...)
	}
	return x.flush(out)
}

func (x *exchange) flush(out []byte) bool {
	if len(out) == 0 {
		return true
	}
	_, err := x.conn.Write(out)
	return !x.away(err != nil)
}

// held sends what goes before the hold, and the rest after it. A stream is held between two events: Go's client keeps whole events back where it has
// the beginning of the next chunk.
func (x *exchange) held(r response) bool {
	if !r.stream {
		body := bytes.Join(r.pieces, nil)
		n := min(x.reply.HoldAfter, len(body))
		return x.hold(appendHead(nil, r.status, r.header, r.contentType, len(body)), body[:n], body[n:])
	}
	var before, after []byte
	sent := 0
	for _, piece := range r.pieces {
		if sent < x.reply.HoldAfter {
			before = appendChunk(before, piece)
		} else {
			after = appendChunk(after, piece)
		}
		sent += len(piece)
	}
	return x.hold(appendHead(nil, r.status, r.header, r.contentType, -1), before, append(after, lastChunk...))
}

// hold sends the head with what goes before the hold, if there is any, and the rest after it.
func (x *exchange) hold(head, before, after []byte) bool {
	if len(before) > 0 {
		if !x.flush(append(head, before...)) {
			return false
		}
		head = nil
	}
	return !x.away(x.conn.wait(0, x.reply.Hold)) && x.flush(append(head, after...))
}

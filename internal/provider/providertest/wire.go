package providertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// exchange is one request on its way to its answer.
type exchange struct {
	conn   *conn
	record Exchange
	kept   *Exchange // the record as others see it; nil where none is kept
	reply  Reply
	rng    *rand.Rand
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
	r := response{status: reply.Status, header: reply.Header, contentType: "application/json"}
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
			r.contentType, r.stream = "text/event-stream", true
		}
		return r
	}
	m := x.conn.server.message(request, reply, x.rng)
	x.record.Text = m.text()
	if request.Stream {
		r.contentType, r.stream, r.pieces = "text/event-stream", true, m.stream()
	} else {
		r.pieces = [][]byte{m.whole()}
	}
	return r
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
		x.write(r, x.rng.IntN(max(size, 1)))
		return x.cut()
	case Stalled:
		if x.rng.IntN(3) > 0 {
			x.write(r, x.rng.IntN(max(size, 1)))
		}
		x.away(x.conn.wait(s.settings.Stall, nil))
		return x.cut()
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

// cut ends the connection, in order or with a reset.
func (x *exchange) cut() bool {
	if tcp, ok := x.conn.Conn.(*net.TCPConn); ok && x.rng.IntN(2) == 0 {
		_ = tcp.SetLinger(0) //nolint:errcheck // Then it ends in order.
	}
	return false
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

// unended ends the body in order and the answer not: JSON without its end, or a stream without its last events.
func (x *exchange) unended(r response) bool {
	if r.stream {
		r.pieces = r.pieces[:max(1, len(r.pieces)-1-x.rng.IntN(3))]
	} else if body := bytes.Join(r.pieces, nil); len(body) > 1 {
		r.pieces = [][]byte{body[:1+x.rng.IntN(len(body)-1)]}
	}
	return x.write(r, -1)
}

// errorInside sends an error under status 200.
func (x *exchange) errorInside(r response) bool {
	body := []byte(`{"error":{"message":"Provider returned error","type":"server_error","code":502}}`)
	if !r.stream {
		r.pieces = [][]byte{body}
		return x.write(r, -1)
	}
	event := append(append([]byte("data: "), body...), "\n\n"...)
	r.pieces = append(r.pieces[:x.rng.IntN(len(r.pieces)):len(r.pieces)], event)
	return x.write(r, -1)
}

// miscounted sends a body with a Content-Length that is not its own.
func (x *exchange) miscounted(r response, size int) bool {
	said := size + 1 + x.rng.IntN(200)
	if x.record.Fault == LengthTooShort {
		said = x.rng.IntN(max(size, 1))
		// Without this, Go's client logs the bytes that are too many, text of answers and all.
		r.header = http.Header{"Connection": {"close"}}
	}
	out := appendHead(nil, r.status, r.header, r.contentType, said)
	x.flush(append(out, bytes.Join(r.pieces, nil)...))
	return false
}

// refusal gives the response of the faults that have a status of their own.
func (x *exchange) refusal() (response, bool) {
	r := response{contentType: "application/json"}
	body := func(status int, message, kind, code string) (response, bool) {
		r.status, r.pieces = status, [][]byte{errorBody(message, kind, code)}
		return r, true
	}
	switch x.record.Fault {
	case RateLimited:
		return x.limited(), true
	case Overloaded:
		r.header = http.Header{"Retry-After": {seconds(x.conn.server.settings.RetryAfter)}}
		return body(http.StatusServiceUnavailable, "The engine is currently overloaded, please try again later.", "server_error", "")
	case ServerError:
		return body(http.StatusInternalServerError, "The server had an error while processing your request.", "server_error", "")
	case GatewayPage:
		return response{status: http.StatusBadGateway, contentType: "text/html", pieces: [][]byte{[]byte(
			"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n")}}, true
	case NotJSON:
		return response{status: http.StatusOK, contentType: "text/plain", pieces: [][]byte{[]byte("upstream connect error or disconnect/reset before headers")}}, true
	case Unauthorized:
		return body(http.StatusUnauthorized, "Incorrect API key provided: sk-****abcd.", "invalid_request_error", "invalid_api_key")
	case QuotaExceeded:
		return body(http.StatusTooManyRequests, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota")
	case BadRequest:
		return body(http.StatusBadRequest, "Unsupported parameter.", "invalid_request_error", "unsupported_parameter")
	case SchemaRejected:
		return body(http.StatusBadRequest, "Invalid schema for response_format 'result'.", "invalid_request_error", "invalid_json_schema")
	case ContextExceeded:
		return body(http.StatusBadRequest, "This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded")
	case ContentBlocked:
		return body(http.StatusBadRequest, "The response was filtered due to the prompt triggering a content management policy.", "invalid_request_error", "content_filter")
	case TooLarge:
		return body(http.StatusRequestEntityTooLarge, "Request too large.", "invalid_request_error", "request_too_large")
	case Redirected:
		r.header = http.Header{"Location": {x.conn.server.URL() + "/elsewhere/chat/completions"}}
		return body(http.StatusTemporaryRedirect, "Moved.", "", "")
	default:
		return r, false
	}
}

// limited is a 429 that says how long to wait, in one of the ways in which services do.
func (x *exchange) limited() response {
	wait := x.conn.server.settings.RetryAfter
	message, header := "Rate limit reached for requests.", http.Header{}
	switch x.rng.IntN(5) {
	case 0:
		header["Retry-After"] = []string{seconds(wait)}
	case 1:
		header["Retry-After-Ms"] = []string{strconv.FormatInt(max(1, wait.Milliseconds()), 10)}
	case 2:
		header["X-Ratelimit-Remaining-Requests"], header["X-Ratelimit-Reset-Requests"] = []string{"0"}, []string{wait.String()}
	case 3:
		message += fmt.Sprintf(" Please try again in %s.", wait)
	case 4: // A date has whole seconds.
		now := time.Unix(created, 0).UTC()
		header["Date"], header["Retry-After"] = []string{now.Format(http.TimeFormat)}, []string{now.Add(wait).Format(http.TimeFormat)}
	}
	return response{
		status: http.StatusTooManyRequests, header: header, contentType: "application/json",
		pieces: [][]byte{errorBody(message, "requests", "rate_limit_exceeded")},
	}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

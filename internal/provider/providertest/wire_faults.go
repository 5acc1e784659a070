package providertest

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"time"
)

// place draws after how many bytes of a body something happens, where the reply does not say.
func (x *exchange) place(size int) int {
	if x.reply.CutAt > 0 {
		return min(x.reply.CutAt, size)
	}
	return x.rng.IntN(max(size, 1))
}

// cut ends the connection, in order or with a reset.
func (x *exchange) cut() bool {
	if x.rng.IntN(2) == 0 {
		return x.reset()
	}
	return false
}

// reset ends the connection so that the client's reading fails.
func (x *exchange) reset() bool {
	if tcp, ok := x.conn.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) //nolint:errcheck // Then it ends in order.
	}
	return false
}

// stalled sends the head, and some of the body, and then nothing until the client is gone or the time is over.
func (x *exchange) stalled(r response, size int) bool {
	if x.record.Fault == StalledFirst {
		length := size
		if r.stream {
			length = -1
		}
		if !x.flush(appendHead(nil, r.status, r.header, r.contentType, length)) {
			return false
		}
	} else {
		x.write(r, max(1, x.place(size)))
	}
	x.away(x.conn.wait(x.conn.server.settings.Stall, nil))
	return false
}

// drip sends the body byte by byte.
func (x *exchange) drip(r response) bool {
	length := r.size()
	if r.stream {
		length = -1
	}
	if !x.flush(appendHead(nil, r.status, r.header, r.contentType, length)) {
		return false
	}
	for _, b := range bytes.Join(r.pieces, nil) {
		out := []byte{b}
		if r.stream {
			out = appendChunk(nil, out)
		}
		if !x.flush(out) || x.away(x.conn.wait(x.conn.server.settings.Drip, nil)) {
			return false
		}
	}
	return !r.stream || x.flush([]byte(lastChunk))
}

// mostOversize is how much of an answer without an end is sent to a client that goes on reading.
const mostOversize = 64 << 20

// oversize sends the answer's beginning and then the same letter over and over.
func (x *exchange) oversize(r response) bool {
	const piece = 1 << 20
	filler := bytes.Repeat([]byte("a"), piece)
	if !x.flush(appendHead(nil, r.status, r.header, r.contentType, -1)) || !x.flush(appendChunk(nil, r.pieces[0][:len(r.pieces[0])/2])) {
		return false
	}
	for sent := 0; sent < mostOversize; sent += piece {
		if !x.flush(appendChunk(nil, filler)) {
			return false
		}
	}
	return x.flush([]byte(lastChunk))
}

// garbage sends bytes that are no answer of any form.
func (x *exchange) garbage(r response) bool {
	const size = 512
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(x.rng.UintN(256))
	}
	r.pieces = [][]byte{body}
	return x.write(r, -1)
}

// unended ends the body in order and the answer not: JSON without its end, or a stream without its last events.
func (x *exchange) unended(r response) bool {
	if r.stream {
		r.pieces = r.pieces[:max(1, len(r.pieces)-1-x.rng.IntN(3))]
		if len(r.pieces) == 1 { // The only event of a short stream may be its end.
			r.pieces[0] = r.pieces[0][:len(r.pieces[0])/2]
		}
	} else if body := bytes.Join(r.pieces, nil); len(body) > 1 {
		r.pieces = [][]byte{body[:1+x.rng.IntN(len(body)-1)]}
	}
	return x.write(r, -1)
}

// errorInside sends an error under status 200.
func (x *exchange) errorInside(r response) bool {
	body := x.wire.inside(r.stream)
	if !r.stream {
		r.pieces = [][]byte{body}
		return x.write(r, -1)
	}
	r.pieces = append(r.pieces[:x.rng.IntN(len(r.pieces)):len(r.pieces)], body)
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
	switch f := x.record.Fault; f {
	case GatewayPage:
		return response{status: http.StatusBadGateway, contentType: "text/html", pieces: [][]byte{[]byte(
			"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n")}}, true
	case NotJSON:
		return response{status: http.StatusOK, contentType: "text/plain", pieces: [][]byte{[]byte("upstream connect error or disconnect/reset before headers")}}, true
	case Redirected:
		return response{
			status: http.StatusTemporaryRedirect, contentType: contentJSON, header: http.Header{"Location": {x.conn.server.URL() + "/elsewhere/chat/completions"}},
			pieces: [][]byte{errorBody("Moved.", "", "")},
		}, true
	case RateLimited, Overloaded, ServerError, Unauthorized, QuotaExceeded, BadRequest, SchemaRejected, ContextExceeded, ContentBlocked, TooLarge:
		return x.wire.fail(x.failure(f)), true
	default:
		return response{}, false
	}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

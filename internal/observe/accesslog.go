package observe

import (
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// AccessLog writes a line for each request. It does not allocate and does not wait for the reader of the log.
type AccessLog struct {
	format  *format
	sink    *Sink
	least   slog.Leveler
	buffers sync.Pool
}

// Access is what the access log says of a request. Empty strings and zero counts are left out. It never holds the
// query, a body, a prompt or a key, only ids.
type Access struct {
	// Time is when the request came, Duration how long it took.
	Time     time.Time
	Duration time.Duration
	// Method, Path, Route (the pattern) and Protocol (1.1, 2) are those of the request.
	Method, Path, Route, Protocol string
	// Status is the HTTP status of the answer.
	Status int
	// RequestBytes and ResponseBytes count the bodies.
	RequestBytes, ResponseBytes int64
	// RequestID is promptd's id, ClientRequestID the caller's own.
	RequestID, ClientRequestID string
	// TraceID and SpanID join the line with its trace.
	TraceID, SpanID string
	// Client is the caller's address, UserAgent what it calls itself.
	Client, UserAgent string
	// KeyID and Team say who called.
	KeyID, Team string
	// Provider, Model, Schema and Validation say what was done.
	Provider, Model, Schema, Validation string
	// Code is the product's code of an answer that is a fault.
	Code string
	// Attempts counts provider calls.
	Attempts int
	// Cached, Coalesced and Streamed say how the answer was made.
	Cached, Coalesced, Streamed bool
	// Overhead is promptd's own share of the time; 0 means not known.
	Overhead time.Duration
}

// Write logs a request: at level info, or error where the answer is a fault of ours.
func (l *AccessLog) Write(a *Access) {
	if a.level() < l.least.Level() {
		return
	}
	p, ok := l.buffers.Get().(*[]byte)
	if !ok {
		b := make([]byte, 0, 1024)
		p = &b
	}
	if l.format.text {
		*p = a.appendText((*p)[:0])
	} else {
		*p = a.appendJSON((*p)[:0], l.format.tail)
	}
	_, _ = l.sink.Write(*p)
	l.buffers.Put(p)
}

// appendJSON appends the line in the Elastic Common Schema.
func (a *Access) appendJSON(b, tail []byte) []byte {
	b = append(b, `{"@timestamp":"`...)
	b = appendTime(b, a.Time)
	b = append(b, `","log.level":"`...)
	b = append(b, levelName(a.level())...)
	b = append(b, `","message":"`...)
	b = a.appendMessage(b)
	b = append(b, '"')
	b = append(b, tail...)
	b = append(b, `,"event.dataset":"promptd.access","event.kind":"event","event.category":["web"],"event.type":["access"],"event.outcome":"`...)
	if a.Status < 400 {
		b = append(b, `success"`...)
	} else {
		b = append(b, `failure"`...)
	}
	b = appendNumber(b, "event.duration", int64(a.Duration))
	b = appendMember(b, "http.request.method", a.Method)
	b = appendMember(b, "http.request.id", a.RequestID)
	b = appendNumber(b, "http.request.body.bytes", a.RequestBytes)
	b = appendNumber(b, "http.response.status_code", int64(a.Status))
	b = appendNumber(b, "http.response.body.bytes", a.ResponseBytes)
	b = appendMember(b, "http.version", a.Protocol)
	b = appendMember(b, "url.path", a.Path)
	b = appendMember(b, "client.address", a.Client)
	b = appendMember(b, "user_agent.original", a.UserAgent)
	b = appendMember(b, "trace.id", a.TraceID)
	b = appendMember(b, "span.id", a.SpanID)
	b = appendMember(b, "error.code", a.Code)
	b = appendMember(b, "user.id", a.KeyID)
	b = appendMember(b, "user.group.name", a.Team)
	return append(a.appendOwn(b), '}', '\n')
}

// appendOwn appends what the schema has no field for.
func (a *Access) appendOwn(b []byte) []byte {
	b = appendMember(b, "promptd.route", a.Route)
	b = appendMember(b, "promptd.client_request_id", a.ClientRequestID)
	b = appendMember(b, "promptd.provider", a.Provider)
	b = appendMember(b, "promptd.model", a.Model)
	b = appendMember(b, "promptd.schema", a.Schema)
	b = appendMember(b, "promptd.validation_status", a.Validation)
	if a.Attempts > 0 {
		b = appendNumber(b, "promptd.attempts", int64(a.Attempts))
	}
	if a.Overhead > 0 {
		b = appendNumber(b, "promptd.overhead", int64(a.Overhead))
	}
	for _, f := range [...]struct {
		name string
		on   bool
	}{{`,"promptd.cached":true`, a.Cached}, {`,"promptd.coalesced":true`, a.Coalesced}, {`,"promptd.streamed":true`, a.Streamed}} {
		if f.on {
			b = append(b, f.name...)
		}
	}
	return b
}

// appendMessage appends the line for people, without quotes: method and route are the server's own words and need no escaping.
func (a *Access) appendMessage(b []byte) []byte {
	b = append(b, safeWord(a.Method)...)
	b = append(b, ' ')
	b = append(b, safeWord(a.Route)...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, float64(a.Duration)/1e6, 'f', 3, 64)
	return append(b, " ms"...)
}

// safeWord replaces what is no plain word; a method may be anything that a caller sends.
func safeWord(s string) string {
	if s == "" || len(s) > 128 {
		return "-"
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return "-"
		}
	}
	return s
}

// appendText appends the line for a terminal.
func (a *Access) appendText(b []byte) []byte {
	b = appendTime(b, a.Time)
	b = append(b, ' ')
	b = a.appendMessage(b)
	for _, f := range [...]struct{ name, value string }{
		{"request_id", a.RequestID},
		{"key", a.KeyID},
		{"team", a.Team},
		{"provider", a.Provider},
		{"model", a.Model},
		{"validation", a.Validation},
		{"code", a.Code},
		{"trace_id", a.TraceID},
	} {
		if f.value != "" {
			b = append(b, ' ')
			b = append(b, f.name...)
			b = append(b, '=')
			b = appendString(b, f.value)
		}
	}
	if a.Cached {
		b = append(b, " cached"...)
	}
	return append(b, '\n')
}

func (a *Access) level() slog.Level {
	if a.Status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// levelName gives the two levels of this log as the schema writes them; Level.String would allocate in lower case.
func levelName(l slog.Level) string {
	if l >= slog.LevelError {
		return "error"
	}
	return "info"
}

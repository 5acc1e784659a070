package observe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// ecsVersion is the version of the Elastic Common Schema that the field names come from.
const ecsVersion = "8.17.0"

// format is what every line has in common.
type format struct {
	text    bool
	service string
	version string
	tail    []byte // the members that are the same in every JSON line
}

func newFormat(c Config) (*format, error) {
	f := &format{service: c.Service, version: c.Version}
	switch c.LogFormat {
	case "", "json":
	case "text":
		f.text = true
	default:
		return nil, fmt.Errorf("%q is no log format", c.LogFormat)
	}
	f.tail = appendMember(nil, "ecs.version", ecsVersion)
	f.tail = appendMember(f.tail, "service.name", c.Service)
	f.tail = appendMember(f.tail, "service.version", c.Version)
	return f, nil
}

// lost makes the line that says how many lines are missing.
func (f *format) lost(now time.Time, n int64) []byte {
	message := strconv.FormatInt(n, 10) + " log lines were lost because the reader of the log was too slow"
	if f.text {
		return append(appendTime(nil, now), (" WARN " + message + "\n")...)
	}
	b := append([]byte(`{"@timestamp":"`), appendTime(nil, now)...)
	b = append(b, `","log.level":"warn","message":`...)
	b = appendString(b, message)
	b = append(b, f.tail...)
	b = appendNumber(b, "promptd.lines_lost", n)
	return append(b, '}', '\n')
}

// newHandler makes the handler of the program's own log.
func newHandler(f *format, sink *Sink, level slog.Leveler) slog.Handler {
	out := redactor{sink}
	if f.text {
		return &handler{sink: sink, next: slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: maskAttr})}
	}
	next := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: ecsAttr}).WithAttrs([]slog.Attr{
		slog.String("ecs.version", ecsVersion), slog.String("service.name", f.service), slog.String("service.version", f.version),
	})
	return &handler{sink: sink, next: next, ids: true}
}

// redactor is the last guard before the sink.
type redactor struct{ next io.Writer }

func (r redactor) Write(p []byte) (int, error) {
	if _, err := r.next.Write(redactLine(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// handler adds the ids of the request and of the trace, and writes errors through at once: a process that dies
// says why.
type handler struct {
	next slog.Handler
	sink *Sink
	ids  bool
	deep bool // inside a group, where ids would be in the wrong place
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if !h.deep {
		if id := RequestID(ctx); id != "" {
			r.AddAttrs(slog.String("http.request.id", id))
		}
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && h.ids {
			r.AddAttrs(slog.String("trace.id", sc.TraceID().String()), slog.String("span.id", sc.SpanID().String()))
		}
	}
	if err := h.next.Handle(ctx, r); err != nil {
		return err
	}
	if r.Level >= slog.LevelError {
		return h.sink.Flush()
	}
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.next = h.next.WithAttrs(attrs)
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.next, c.deep = h.next.WithGroup(name), true
	return &c
}

// maskAttr masks attributes whose names say that they are secret.
func maskAttr(_ []string, a slog.Attr) slog.Attr {
	if secretKey(a.Key) {
		return slog.String(a.Key, masked)
	}
	return a
}

// ecsAttr gives attributes their names in the Elastic Common Schema. What has no place there is put under promptd, so
// that it can't collide with a field of the schema.
func ecsAttr(groups []string, a slog.Attr) slog.Attr {
	a = maskAttr(groups, a)
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.String("@timestamp", string(appendTime(nil, t)))
		}
	case slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("log.level", strings.ToLower(l.String()))
		}
	case slog.MessageKey:
		a.Key = "message"
	case "error", "err":
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(err.Error())
		}
		a.Key = "error.message"
	case "request_id":
		a.Key = "http.request.id"
	default:
		if !strings.ContainsAny(a.Key, ".@") {
			a.Key = "promptd." + a.Key
		}
	}
	return a
}

type requestIDKey struct{}

// WithRequestID returns a context whose log records carry the request's id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID gives the id of the request that a context belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

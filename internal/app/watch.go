package app

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/observe"
)

// watch shows requests as metrics, log lines and spans.
type watch struct{ seen *observe.Telemetry }

// Arrived begins a request.
func (w watch) Arrived(ctx context.Context, r *http.Request) (context.Context, api.Visit) {
	w.seen.Metrics.Arrived()
	v := &visit{seen: w.seen, request: r, begun: time.Now()}
	if r.Header.Get("Traceparent") != "" || w.seen.Tracer.Enabled() {
		ctx = w.seen.Tracer.Extract(ctx, r.Header)
		ctx, v.span = w.seen.Tracer.StartServer(ctx, r.Method)
		v.trace, v.spanID = observe.TraceIDs(ctx)
	}
	return ctx, v
}

type visit struct {
	seen          *observe.Telemetry
	request       *http.Request
	begun         time.Time
	span          observe.Span
	trace, spanID string
}

// Left ends a request.
func (v *visit) Left(route string, status int, bytes int64, requestID string, caller *key.Caller) {
	took := time.Since(v.begun)
	r := v.request
	v.seen.Metrics.Left(r.Method, route, status, took)
	a := observe.Access{
		Time: v.begun, Duration: took, Method: r.Method, Path: r.URL.Path, Route: route, Protocol: protocol(r), Status: status,
		RequestBytes: max(0, r.ContentLength), ResponseBytes: bytes, RequestID: requestID, ClientRequestID: clientID(r),
		TraceID: v.trace, SpanID: v.spanID, Client: r.RemoteAddr, UserAgent: r.UserAgent(),
	}
	if caller != nil {
		a.KeyID, a.Team = string(caller.Key), string(caller.Team)
	}
	v.seen.Access.Write(&a)
	if v.span.Recording() {
		v.span.String("http.request.method", r.Method)
		v.span.String("http.route", route)
		v.span.Int("http.response.status_code", int64(status))
		v.span.String("promptd.request_id", requestID)
		if status >= http.StatusInternalServerError {
			v.span.Fail(strconv.Itoa(status), errors.New(http.StatusText(status)))
		}
	}
	v.span.End()
}

// clientID is the caller's own id, cut to what the API takes: a longer one was refused.
func clientID(r *http.Request) string {
	const most = 128
	id := r.Header.Get("X-Request-Id")
	return id[:min(len(id), most)]
}

func protocol(r *http.Request) string {
	if r.ProtoMajor == 1 {
		return "1." + strconv.Itoa(r.ProtoMinor)
	}
	return strconv.Itoa(r.ProtoMajor)
}

var _ api.Watch = watch{}

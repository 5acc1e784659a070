// Package observe is how promptd shows what it does: metrics, traces and logs.
//
// It decides nothing and keeps nothing: history and usage are kept elsewhere. It has no global registerer, logger or tracer; everything
// hangs on one value that the wiring passes on, and what runs on every request is resolved once and costs nanoseconds afterwards.
//
// The main type is [Telemetry], which holds [Metrics] (every metric of the product is declared in metrics.go, and nowhere else),
// [Tracer] (OpenTelemetry when there is an endpoint, and no cost worth measuring when there is none), a slog.Logger that writes lines in
// the Elastic Common Schema, and [AccessLog] (a line for each request). Both logs share one [Sink]: lines are collected in memory and
// written by one owner every 50 ms or 32 KiB, so that requests do not wait for the terminal or a pipe; when the reader stalls,
// a writer waits for a bounded time, and lines that are lost after that are counted and the count is logged.
//
// Lock order in Sink: flushing before mu.
package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config says what to observe and where it goes.
type Config struct {
	// Service is the name in logs and traces.
	Service string
	// Version and Revision tell which build this is.
	Version, Revision string
	// LogLevel is debug, info, warn or error; empty means info.
	LogLevel string
	// LogFormat is json (Elastic Common Schema) or text; empty means json.
	LogFormat string
	// OTLPEndpoint is the OTLP/HTTP address of a trace collector; empty means no traces.
	OTLPEndpoint string
	// Out takes the log lines.
	Out io.Writer
	// Now is the clock.
	Now func() time.Time
}

// Telemetry is everything that shows what promptd does.
type Telemetry struct {
	Metrics *Metrics
	Tracer  *Tracer
	Log     *slog.Logger
	Access  *AccessLog

	level *slog.LevelVar
	sink  *Sink
}

// New builds everything; nothing runs until Run. Its logs work at once, unbuffered.
func New(c Config) (*Telemetry, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	t := &Telemetry{level: new(slog.LevelVar), Metrics: NewMetrics(Build{Version: c.Version, Revision: c.Revision})}
	if err := t.SetLevel(c.LogLevel); err != nil {
		return nil, err
	}
	f, err := newFormat(c)
	if err != nil {
		return nil, err
	}
	t.sink = NewSink(c.Out, func(n int64) []byte { return f.lost(c.Now(), n) })
	t.sink.count = t.Metrics.logLost
	t.Log = slog.New(newHandler(f, t.sink, t.level))
	t.Access = &AccessLog{format: f, sink: t.sink, least: t.level}
	t.Tracer, err = NewTracer(TraceConfig{Endpoint: c.OTLPEndpoint, Service: c.Service, Version: c.Version, Log: t.Log, Failed: t.Metrics.traceLost})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// SetLevel changes the lowest level that is logged, at once: debug, info, warn or error.
func (t *Telemetry) SetLevel(level string) error {
	switch level {
	case "debug":
		t.level.Set(slog.LevelDebug)
	case "", "info":
		t.level.Set(slog.LevelInfo)
	case "warn":
		t.level.Set(slog.LevelWarn)
	case "error":
		t.level.Set(slog.LevelError)
	default:
		return fmt.Errorf("%q is no log level", level)
	}
	return nil
}

// Run owns the log buffer: it writes what has been collected until ctx ends, and then the rest.
func (t *Telemetry) Run(ctx context.Context) error { return t.sink.Run(ctx) }

// Close sends the spans that are left, bounded by ctx, and writes the log lines that are left. It is safe to call twice.
func (t *Telemetry) Close(ctx context.Context) error {
	return errors.Join(t.Tracer.Close(ctx), t.sink.Close())
}

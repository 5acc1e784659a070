package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/config"
)

// Bounds of a connection: a caller that sends or reads slowly holds one for so long and no longer. Answers have no bound of their own here, since
// options.timeout_ms may be ten minutes and streams have heartbeats.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// listening is one address and the server behind it.
type listening struct {
	socket net.Listener
	secure bool
	server *http.Server
	// closing makes every answer the last one of its connection.
	closing atomic.Bool

	mu sync.Mutex

	open map[net.Conn]struct{}
}

func open(ctx context.Context, address string, t config.TLS) (*listening, error) {
	l := &listening{secure: t.Cert != "", open: map[net.Conn]struct{}{}}
	var settings *tls.Config
	if l.secure {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read the TLS certificate: %w", err)
		}
		settings = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}
		if t.MinVersion == "1.2" {
			settings.MinVersion = tls.VersionTLS12
		}
	}
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, taken(address, err)
	}
	l.socket = socket
	if settings != nil {
		l.socket = tls.NewListener(socket, settings)
	}
	return l, nil
}

// serve answers until the listener closes.
func (l *listening) serve(h http.Handler, log *slog.Logger) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.closing.Load() {
			w.Header()["Connection"] = []string{"close"}
		}
		h.ServeHTTP(w, r)
	})
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), ConnState: l.state,
	}
	l.mu.Lock()
	l.server = server
	l.mu.Unlock()
	if err := server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) && !l.closing.Load() {
		return err
	}
	return nil
}

// state counts open connections.
func (l *listening) state(c net.Conn, s http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s {
	case http.StateNew:
		l.open[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(l.open, c)
	}
}

func (l *listening) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// drain takes no more connections and ends those that are open: each with its next answer, what stays idle for a moment then, and what is still at work when
// the context ends by force. The moment is for clients that send on a kept connection just now: closing it under them would lose their request. The
// listener closes first, since clients whose connections end open new ones, and those that wait to be accepted when it closes are lost.
func (l *listening) drain(ctx context.Context) error {
	l.closing.Store(true)
	if err := l.close(); err != nil {
		return err
	}
	l.mu.Lock()
	server := l.server
	l.mu.Unlock()
	if server == nil {
		return nil
	}
	const look = 10 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for end := time.Now().Add(quiet); l.connections() > 0 && time.Now().Before(end); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return server.Close()
		}
	}
	// The server closes the listener too; whether it has noticed that it is closed already is a matter of luck.
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		return errors.Join(fmt.Errorf("requests that %s still had under way were cut off: %w", l.addr(), err), server.Close())
	}
	return nil
}

func (l *listening) close() error {
	if err := l.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (l *listening) addr() string { return l.socket.Addr().String() }

func (l *listening) url() string {
	scheme := "http"
	if l.secure {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(l.addr())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

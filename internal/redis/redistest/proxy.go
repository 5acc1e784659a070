package redistest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/redis"
)

// Proxy is a way to a single server that a test may cut, so that some clients are cut off and others are not.
type Proxy struct {
	Server

	target  string
	running sync.WaitGroup

	mu sync.Mutex

	cut   bool
	delay time.Duration
	conns map[net.Conn]struct{}
}

// NewProxy begins a proxy before a server, and ends it with the test.
func NewProxy(tb testing.TB, s Server) *Proxy {
	tb.Helper()
	target, err := redis.ParseURL(s.URL)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Server: s, target: target.Addresses[0], conns: map[net.Conn]struct{}{}}
	p.URL = strings.Replace(s.URL, p.target, l.Addr().String(), 1)
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Cut closes every connection, and refuses new ones.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// Mend lets connections through again.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Slow has every answer wait for a time; 0 is as it was.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Proxy) slowness() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// keep notes a connection to be cut, and says whether it may stand.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.keep(server) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client) // Either end may go at any time.
		server.Close()
	})
	p.answers(client, server)
	client.Close()
	wg.Wait()
}

// answers passes on what the server says, as late as it is to be.
func (p *Proxy) answers(client io.Writer, server io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		<-time.After(p.slowness())
		if _, gone := client.Write(buffer[:n]); err != nil || gone != nil {
			return
		}
	}
}

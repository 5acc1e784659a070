package rabbitmq_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// proxy stands between a broker and a real server. It passes frames on, and can be told to do what servers and networks do on bad days.
type proxy struct {
	server   string
	listener net.Listener
	url      string
	all      sync.WaitGroup

	mu sync.Mutex

	pairs map[*pair]bool
	away  bool
	// frozen is not nil while nothing is passed on; it is closed to go on.
	frozen chan struct{}
	// sick answers a consume of a queue; a queue.delete of it makes it well.
	sick    map[string]sickness
	deletes map[string]int
}

// sickness is how the server answers basic.consume.
type sickness int

const (
	healthy sickness = iota
	internalError
	silence
	internalErrorOnce
)

// pair is a connection with its other half. Frames to the client come from two sides.
type pair struct {
	client, server net.Conn
	toClient       sync.Mutex
}

// newProxy makes a proxy before the server of a URL.
func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: u.Host, pairs: map[*pair]bool{}, sick: map[string]sickness{}, deletes: map[string]int{}}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	p.url = u.String()
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.resume()
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	c := &pair{client: client, server: server}
	if !p.add(c) {
		return
	}
	defer p.remove(c)
	var back sync.WaitGroup
	back.Go(func() {
		p.pass(bufio.NewReader(server), func(frame []byte) error { return c.answer(frame) })
		_ = client.Close()
	})
	in := bufio.NewReader(client)
	header := make([]byte, 8) // "AMQP" and the version come before the frames.
	if _, err := io.ReadFull(in, header); err == nil {
		if _, err := server.Write(header); err == nil {
			p.pass(in, func(frame []byte) error { return p.ask(c, frame) })
		}
	}
	_ = server.Close()
	back.Wait()
}

func (p *proxy) add(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return false
	}
	p.pairs[c] = true
	return true
}

func (p *proxy) remove(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
}

func (c *pair) answer(frame []byte) error {
	c.toClient.Lock()
	defer c.toClient.Unlock()
	_, err := c.client.Write(frame)
	return err
}

// pass reads frames and hands them on, with a stop while the proxy is frozen.
func (p *proxy) pass(from *bufio.Reader, to func([]byte) error) {
	for {
		head := make([]byte, 7) // Type, channel, size.
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		frame := append(head, make([]byte, binary.BigEndian.Uint32(head[3:])+1)...)
		if _, err := io.ReadFull(from, frame[7:]); err != nil {
			return
		}
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if to(frame) != nil {
			return
		}
	}
}

// ask passes a frame to the server, but for those that a sick queue answers.
func (p *proxy) ask(c *pair, frame []byte) error {
	if class, method, rest := methodOf(frame); class == 60 && method == 20 || class == 50 && method == 40 {
		queue := string(rest[3 : 3+rest[2]]) // A reserved short stands before the name.
		p.mu.Lock()
		s := p.sick[queue]
		if method == 40 {
			p.deletes[queue]++
		}
		if method == 40 || s == internalErrorOnce {
			delete(p.sick, queue)
		}
		p.mu.Unlock()
		switch {
		case method != 20:
		case s == silence:
			return nil
		case s != healthy:
			return c.answer(methodFrame(10, 50, binary.BigEndian.AppendUint16(nil, 541), short("INTERNAL_ERROR"), make([]byte, 4)))
		}
	}
	_, err := c.server.Write(frame)
	return err
}

// methodOf reads what a method frame calls.
func methodOf(frame []byte) (class, method uint16, rest []byte) {
	if frame[0] != 1 || len(frame) < 12 {
		return 0, 0, nil
	}
	return binary.BigEndian.Uint16(frame[7:]), binary.BigEndian.Uint16(frame[9:]), frame[11:]
}

// methodFrame makes a frame of the server for the connection itself.
func methodFrame(class, method uint16, parts ...[]byte) []byte {
	payload := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, class), method)
	payload = append(payload, slices.Concat(parts...)...)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload)))
	return append(append(frame, payload...), 0xCE)
}

func short(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// tell sends a frame to every client.
func (p *proxy) tell(t *testing.T, frame []byte) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		if err := c.answer(frame); err != nil {
			t.Errorf("tell a client: %v", err)
		}
	}
}

// cut ends every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		_ = c.client.Close()
		_ = c.server.Close()
	}
}

// leave ends every connection and takes no new ones; comeBack takes them again.
func (p *proxy) leave() {
	p.mu.Lock()
	p.away = true
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) comeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

// freeze passes nothing on, as a server does that was stopped; new connections are accepted and not answered.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *proxy) infect(queue string, s sickness) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sick[queue] = s
}

func (p *proxy) deleted(queue string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deletes[queue]
}

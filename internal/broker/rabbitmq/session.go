package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errSilent says that the server did not answer in time. The connection is closed behind it: an answer that comes later would be taken for another's.
var errSilent = errors.New("no answer")

// session is one connection, from its opening to its end.
type session struct {
	conn *amqp.Connection
	wire *wire
	// limit bounds every exchange with the server.
	limit time.Duration
	// ended is closed when the connection is over, with the reason in err.
	ended chan struct{}
	err   error
	// blocked holds why the server takes no messages, nil while it does.
	blocked atomic.Pointer[string]
	// asking is held while a queue is subscribed to.
	asking sync.Mutex
	// owned are the goroutines of the session.
	owned sync.WaitGroup
}

// dial opens a connection within the limit. The session is to be closed by the caller.
func (t *target) dial(ctx context.Context, name string, heartbeat, limit time.Duration) (*session, error) {
	limited, cancel := context.WithTimeout(ctx, 2*limit) // TCP, TLS and four exchanges of AMQP.
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(limited, "tcp", t.address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.shown, err)
	}
	if t.tls != nil {
		secured := tls.Client(c, t.tls)
		if err := secured.HandshakeContext(limited); err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", t.shown, err), c.Close())
		}
		c = secured
	}
	s := &session{wire: newWire(c, limit), limit: limit, ended: make(chan struct{})}
	s.owned.Go(s.wire.run)
	stop := context.AfterFunc(limited, func() { s.wire.fail(errSilent) })
	defer stop()
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	s.conn, err = amqp.Open(s.wire, amqp.Config{
		SASL: []amqp.Authentication{t.auth}, Vhost: t.vhost, Heartbeat: heartbeat, FrameSize: frameSize, Properties: properties, Locale: "en_US",
	})
	if err != nil {
		s.wire.fail(net.ErrClosed)
		s.owned.Wait()
		if limited.Err() != nil {
			err = errSilent
		}
		return nil, fmt.Errorf("log in to %s: %w", t.shown, explain(err))
	}
	s.watch()
	return s, nil
}

// frameSize is far above every frame that is sent or taken.
const frameSize = 128 << 10

// watch follows what the server says of the connection.
func (s *session) watch() {
	// Each has room for what may come while the goroutine does something else: the client's reader waits for it otherwise.
	closes, blocks := s.conn.NotifyClose(make(chan *amqp.Error, 1)), s.conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	s.owned.Go(func() {
		for b := range blocks {
			if reason := b.Reason; b.Active {
				s.blocked.Store(&reason)
			} else {
				s.blocked.Store(nil)
			}
		}
	})
	s.owned.Go(func() {
		defer close(s.ended)
		reason, ok := <-closes
		switch err := s.wire.failure(); {
		case err != nil && !errors.Is(err, net.ErrClosed): // What the client says then is that it can't read.
			s.err = err
		case ok:
			s.err = explain(reason)
		default:
			s.err = net.ErrClosed
		}
	})
}

// call makes one exchange with the server, which f waits for. Where it takes longer than the limit the connection is closed, which ends f.
func (s *session) call(what string, f func() error) error {
	timer := time.AfterFunc(s.limit, func() { s.wire.fail(errSilent) })
	err := f()
	if !timer.Stop() && err != nil {
		return fmt.Errorf("%s: %w within %s", what, errSilent, s.limit)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, explain(err))
	}
	return nil
}

// channel opens a channel.
func (s *session) channel() (ch *amqp.Channel, err error) {
	err = s.call("open a channel", func() (err error) {
		ch, err = s.conn.Channel()
		return err
	})
	return ch, err
}

// leave closes a channel without waiting for it; what the server says to it is of no interest any more.
func (s *session) leave(ch *amqp.Channel) {
	if ch.IsClosed() {
		return
	}
	s.owned.Go(func() { _ = s.call("close a channel", ch.Close) })
}

// close ends the connection and waits for all that belongs to it.
func (s *session) close() {
	_ = s.call("close the connection", s.conn.Close)
	s.wire.fail(net.ErrClosed)
	s.owned.Wait()
}

// explain puts the words of the server, or of the client, into an error that says what to do.
func explain(err error) error {
	var of *amqp.Error
	if !errors.As(err, &of) {
		return err
	}
	switch of.Code {
	case amqp.AccessRefused:
		return fmt.Errorf("%w: user, password and permissions of broker.url are asked for", err)
	case amqp.NotAllowed:
		return fmt.Errorf("%w: the virtual host of broker.url must be there and the user allowed in it", err)
	default:
		return err
	}
}

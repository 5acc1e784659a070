// Package redis is the one way to a Redis server (7 or later; single, over TLS, or Cluster): connections, a short time limit on every call, and a
// breaker that keeps requests from waiting for a server that is away or slow.
//
// It knows nothing of what is kept there: the cache tier, the limiter and the broadcaster build on it, each in a folder of its own. Nor does it hide
// the client library from them: commands are built with rueidis.Builder, and answers are rueidis.RedisResult.
//
// The main type is [Client]. [Open] never fails because the server is away: the client goes on trying by itself, and says in [Client.State] how things
// stand. While it is not ready every call fails at once with [ErrAway]. A call that gets no answer within [Options.Timeout] fails with ErrAway too; after
// three of these in a row, of which the second may take half as long and the third a quarter, the client is not ready any more: that is all that a request
// loses. One goroutine, begun by Open and waited for by [Client.Close], probes the server, also while nobody asks anything.
//
// One connection carries the commands of all callers to one server, in order (the library pipelines by itself): so an answered probe says that what
// was sent before it has been answered as well, and nothing old is left in the queue.
//
// Locks: of watchers, telling comes before mu. Functions of OnChange are called under telling, and nothing else is called under either.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrAway says that the server did not answer in time, or is not asked at present: callers go on without it. All errors of calls wrap it, but for those
// of the caller's own context and those that the server gives to a command it has read.
var ErrAway = errors.New("redis is away")

// The defaults of Options.
const (
	DefaultTimeout = 100 * time.Millisecond
	DefaultPrefix  = "promptd:"
)

const (
	// dialTimeout bounds a connection being made, TLS and authentication included: a probe waits that long, requests never do.
	dialTimeout = time.Second
	// firstWait is how long Open waits for the first answer, so that a server that is there is used from the first request on.
	firstWait = 250 * time.Millisecond
	// mostInFlight bounds the calls that wait for an answer. Beyond it calls fail at once; it is half of the library's queue, whose callers would wait
	// without a limit once it is full.
	mostInFlight = 512
	// buffers are the bytes of a connection's buffers for reading and for writing.
	buffers = 64 << 10
)

// Options are what a Client is made from.
type Options struct {
	// URL names the server: redis://, rediss://, redis+cluster:// or rediss+cluster://. See ParseURL.
	URL string
	// Prefix begins the name of every key and channel; DefaultPrefix where it is empty. It has no braces.
	Prefix string
	// Timeout bounds every call; DefaultTimeout where it is 0.
	Timeout time.Duration
	// Log is told when the server goes away and comes back; nil is silence.
	Log *slog.Logger
}

// Client is a way to one server or one cluster. It is safe for concurrent use.
type Client struct {
	target  Target
	prefix  string
	timeout time.Duration
	log     *slog.Logger

	conn     atomic.Pointer[rueidis.Client] // nil before the first connection
	breaker  breaker
	watchers watchers
	inFlight atomic.Int64
	figures  figures

	cancel  context.CancelFunc
	watched sync.WaitGroup
}

// Open begins to look for the server and returns when it has answered, or after a moment without an answer; the client then goes on looking. The
// error is of the options alone. Close ends the client.
func Open(ctx context.Context, o Options) (*Client, error) {
	target, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("redis: the prefix %q has braces, which name the slot of a key", o.Prefix)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{target: target, prefix: o.Prefix, timeout: o.Timeout, log: o.Log, cancel: cancel}
	c.breaker.init()
	first := make(chan struct{})
	c.watched.Go(func() { c.watch(own, first) })
	wait := time.NewTimer(firstWait)
	defer wait.Stop()
	select {
	case <-first:
	case <-wait.C:
	case <-ctx.Done():
	}
	return c, nil
}

// Close ends the client and waits for its goroutine. Calls under way fail.
func (c *Client) Close() {
	c.cancel()
	c.watched.Wait()
	if conn := c.conn.Load(); conn != nil {
		(*conn).Close()
	}
}

// Address names the server for people, without secrets.
func (c *Client) Address() string { return c.target.String() }

// Cluster says whether the server is a cluster: keys that one call touches must then lie in one slot (see Key).
func (c *Client) Cluster() bool { return c.target.Cluster }

// Prefix begins the name of every key and channel.
func (c *Client) Prefix() string { return c.prefix }

// connect makes the connection where there is none yet.
func (c *Client) connect() (rueidis.Client, error) {
	if conn := c.conn.Load(); conn != nil {
		return *conn, nil
	}
	conn, err := rueidis.NewClient(c.target.options())
	if err != nil {
		return nil, err
	}
	c.conn.Store(&conn)
	return conn, nil
}

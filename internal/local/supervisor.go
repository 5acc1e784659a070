package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Settings tune the model's server. The zero value is the usual.
type Settings struct {
	// Threads for the model; 0 means all cores but one. Threads that spin for a core they do not get made the model five times slower.
	Threads int
	// Context is the window of one call in tokens; 0 means 4096, half of what the installed model can do, in about 100 MB.
	Context int
	// Parallel is the number of calls that run at once; 0 means 1. More gave no throughput on two cores, only longer calls.
	Parallel int
	// CacheMiB bounds the memory for prompts seen before; 0 means 64.
	CacheMiB int
	// Port to listen on; 0 means any that is free. A port that is taken is refused.
	Port int
	// Logger gets what happens, and the server's own lines at debug; nil discards.
	Logger *slog.Logger
}

// Supervisor runs the local model that Find chose and keeps it running. Run is its one owner; the other methods may be called at any time from any
// goroutine.
type Supervisor struct {
	choice  Choice
	numbers numbers
	fixed   int
	key     string
	log     *slog.Logger
	patience

	ready chan struct{}

	// port is the one that the last child listened on: kept over restarts where it can be, so that addresses stay good. Run alone uses it.
	port int

	mu sync.Mutex
	// These are what Endpoint answers; changed is closed and replaced with each change. up is true while the server answers, ended once Run is over.
	endpoint Endpoint
	up       bool
	ended    bool
	why      error
	changed  chan struct{}
	// pid is the last child's process.
	pid int
}

// patience is how long the supervisor waits for what.
type patience struct {
	// start bounds the time from start to ready; loading takes under a second, and many on a machine that is busy.
	start time.Duration
	// grace is the time to end after being asked to.
	grace time.Duration
	// look is the pause between questions to a server that is starting.
	look time.Duration
	// steady is the time after which a crash counts as the first again.
	steady time.Duration
	// pause is the wait before restart n, from 1.
	pause func(n int) time.Duration
	// tries is the number of starts in a row that may fail before Run gives up.
	tries int
}

func usualPatience() patience {
	return patience{
		start: time.Minute, grace: 5 * time.Second, look: 20 * time.Millisecond, steady: time.Minute, tries: 5,
		pause: func(n int) time.Duration { return min(30*time.Second, 250*time.Millisecond<<min(n, 10)) },
	}
}

// New makes a Supervisor; nothing is started before Run.
func New(c Choice, s Settings) *Supervisor {
	log := s.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	or := func(n, usual int) int {
		if n > 0 {
			return n
		}
		return usual
	}
	return &Supervisor{
		choice: c, fixed: s.Port, key: rand.Text(), log: log, patience: usualPatience(),
		numbers: numbers{
			threads: or(s.Threads, max(1, runtime.GOMAXPROCS(0)-1)),
			context: or(s.Context, 4096), parallel: or(s.Parallel, 1), cacheMiB: or(s.CacheMiB, 64),
		},
		ready: make(chan struct{}), changed: make(chan struct{}), port: s.Port,
		why: errors.New("it is not started"),
	}
}

// Ready is closed once the model answered for the first time.
func (s *Supervisor) Ready() <-chan struct{} { return s.ready }

// Endpoint says how to call the model now. While it starts or restarts, the error is a fault that says so.
func (s *Supervisor) Endpoint() (Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up {
		return Endpoint{}, s.notUp()
	}
	return s.endpoint, nil
}

// Wait gives the endpoint as soon as the model answers. It gives an error where the context ends, or Run has ended.
func (s *Supervisor) Wait(ctx context.Context) (Endpoint, error) {
	for {
		s.mu.Lock()
		e, up, ended, changed, err := s.endpoint, s.up, s.ended, s.changed, s.notUp()
		s.mu.Unlock()
		switch {
		case up:
			return e, nil
		case ended:
			return Endpoint{}, err
		}
		select {
		case <-ctx.Done():
			return Endpoint{}, fmt.Errorf("wait for the local model: %w", errors.Join(ctx.Err(), err))
		case <-changed:
		}
	}
}

// notUp is the fault of a model that does not answer; mu is held.
func (s *Supervisor) notUp() error {
	return unavailable("Wait for it; promptd local status says what is found.", "the local model does not answer now").Because(s.why)
}

// set changes the state.
func (s *Supervisor) set(up bool, e Endpoint, why error, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.endpoint, s.why, s.ended = up, e, why, ended
	close(s.changed)
	s.changed = make(chan struct{})
}

// Run keeps the model running until the context ends, and returns nil then, with the child gone. It gives up with a fault where the server does
// not come up several times in a row. A Supervisor is run once.
func (s *Supervisor) Run(ctx context.Context) error {
	if s.choice.engine == nil {
		s.set(true, s.choice.Endpoint, nil, false)
		close(s.ready)
		<-ctx.Done()
		s.set(false, Endpoint{}, ctx.Err(), true)
		return nil
	}
	crashes, misses := 0, 0
	for {
		began := time.Now()
		wasUp, err := s.once(ctx)
		if ctx.Err() != nil {
			s.set(false, Endpoint{}, ctx.Err(), true)
			return nil
		}
		crashes, misses = crashes+1, misses+1
		if wasUp {
			misses = 0
			if time.Since(began) >= s.steady {
				crashes = 1
			}
		}
		if misses >= s.tries {
			s.set(false, Endpoint{}, err, true)
			return err
		}
		s.set(false, Endpoint{}, err, false)
		pause := s.pause(crashes)
		s.log.LogAttrs(ctx, slog.LevelWarn, "the local model ended and is started again", slog.Any("cause", err), slog.Duration("pause", pause), slog.Int("times", crashes))
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// once runs one child from start to end. It reports whether the child was ever up, and why it ended.
func (s *Supervisor) once(ctx context.Context) (wasUp bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	began := time.Now()
	port, err := s.choosePort(ctx)
	if err != nil {
		return false, err
	}
	start, err := s.choice.engine.launch(s.numbers, port, s.key)
	if err != nil {
		return false, err
	}
	out := newOutput(s.log, s.key, func(line string) (int, bool) { return s.choice.engine.ready(line, port) })
	c, err := startChild(start, out.line)
	if err != nil {
		return false, unavailable(wayOut, "the local model's server cannot be started").Because(err)
	}
	defer c.stop(s.grace)
	s.mu.Lock()
	s.pid = c.cmd.Process.Pid
	s.mu.Unlock()
	endpoint, err := s.await(ctx, c, out)
	if err != nil {
		s.port = s.fixed // Whatever was wrong, the next child need not insist on the same port.
		return false, err
	}
	s.port = out.port
	s.set(true, endpoint, nil, false)
	s.firstReady()
	s.log.LogAttrs(ctx, slog.LevelInfo, "the local model is ready", slog.Any("endpoint", endpoint), slog.Int("pid", c.cmd.Process.Pid), slog.Duration("took", time.Since(began)))
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-c.done:
		return true, unavailable("It is started again by itself.", "the local model's server ended: %s", c.ended())
	}
}

func (s *Supervisor) firstReady() {
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}

// await waits until the child said that it listens and its server has proved to be the child's.
func (s *Supervisor) await(ctx context.Context, c *child, out *output) (Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, s.start)
	defer cancel()
	select {
	case <-out.ready:
	case <-c.done:
		return Endpoint{}, out.endedEarly(c.ended())
	case <-ctx.Done():
		return Endpoint{}, unavailable("Try again on a less busy machine.", "the local model's server was not ready within %s", s.start).Because(ctx.Err())
	}
	proved := make(chan error, 1) // One answer, so that the goroutine never waits for its reader.
	e := s.choice.Endpoint
	e.BaseURL, e.APIKey = "http://127.0.0.1:"+strconv.Itoa(out.port), s.key
	e.Context, e.Parallel = s.numbers.context, s.numbers.parallel
	go func() { proved <- prove(ctx, e, s.look) }()
	select {
	case err := <-proved:
		return e, err
	case <-c.done:
		cancel()
		<-proved
		return Endpoint{}, out.endedEarly(c.ended())
	}
}

// choosePort gives the port to start on: the fixed one, which must be free, else the last one, else any.
func (s *Supervisor) choosePort(ctx context.Context) (int, error) {
	if s.port > 0 || !s.choice.engine.choosesPort() {
		port, err := freePort(ctx, s.port)
		switch {
		case err == nil:
			return port, nil
		case s.fixed > 0:
			return 0, unavailable("Free the port or choose another.", "port %d, where the local model should listen, is taken by another program", s.fixed).Because(err)
		case !s.choice.engine.choosesPort():
			s.port = 0
			return freePort(ctx, 0)
		}
	}
	return 0, nil
}

// freePort checks that a port of the loopback interface is free; 0 finds one that is.
func freePort(ctx context.Context, port int) (int, error) {
	var conf net.ListenConfig
	l, err := conf.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("look for a free port: %w", err)
	}
	port = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // A TCP listener has a TCP address.
	return port, l.Close()
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// target is something that is measured.
type target struct {
	name, url string
	body      string
	key       string
	// fresh makes every prompt another one, so that nothing comes from the cache.
	fresh bool
	of    *child
	// floor is the bare proxy under the same load; nil is the first of them.
	floor *target

	results []result
}

// result is one round.
type result struct {
	p50, p99, cpu time.Duration // cpu is that of one request
	perSecond     float64
	memory        float64
}

// pin keeps this process on one core, with one thread that runs Go.
func pin(core int) error {
	runtime.GOMAXPROCS(1)
	taskset, err := exec.LookPath("taskset")
	if err != nil || runtime.NumCPU() < 2 {
		return nil //nolint:nilerr // Without it the figures are those of a machine that shares its cores.
	}
	return exec.Command(taskset, "-a", "-p", "-c", strconv.Itoa(core), strconv.Itoa(os.Getpid())).Run()
}

// counter numbers fresh prompts; its text has a fixed width, so that the body's length stays.
var counter atomic.Int64 //nolint:gochecknoglobals // One process, one count.

const place = "0000000000"

// request is the whole of a request's bytes, and where its number stands.
func (t *target) request() ([]byte, int) {
	u, err := url.Parse(t.url)
	if err != nil {
		panic(err) // It was made here.
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", u.Path, u.Host, len(t.body))
	if t.key != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", t.key)
	}
	b.WriteString("\r\n" + t.body)
	return b.Bytes(), bytes.Index(b.Bytes(), []byte(place))
}

// conn is one kept connection. It reads answers with a length alone, which costs a fraction of what a general client does.
type conn struct {
	net.Conn
	in   *bufio.Reader
	out  []byte
	at   int
	next bool
}

func (t *target) dial() (*conn, error) {
	u, err := url.Parse(t.url)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	out, at := t.request()
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 32<<10), out: out, at: at, next: t.fresh}, nil
}

// ask sends one request and reads its answer.
func (c *conn) ask() error {
	if c.next {
		digits := strconv.AppendInt(nil, counter.Add(1), 10)
		copy(c.out[c.at+len(place)-len(digits):], digits)
	}
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200"))
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, v, found := bytes.Cut(line, []byte(":")); found && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(strings.TrimSpace(string(v))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	if !ok {
		raw := make([]byte, length)
		_, _ = io.ReadFull(c.in, raw) //nolint:errcheck // It is for the message alone.
		return fmt.Errorf("an answer with another status: %.300s", raw)
	}
	_, err = c.in.Discard(length)
	return err
}

func (t *target) measure(ctx context.Context, o options) error {
	conns := make([]*conn, o.conns)
	for i := range conns {
		c, err := t.dial()
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // Nothing is left to send.
		conns[i] = c
	}
	if _, err := t.open(ctx, conns, o.rate, time.Second); err != nil { // Warm.
		return err
	}
	before := t.of.cpu()
	took, err := t.open(ctx, conns, o.rate, o.spell)
	if err != nil {
		return err
	}
	used := t.of.cpu() - before
	slices.Sort(took)
	r := result{
		p50: took[len(took)/2], p99: took[len(took)*99/100], cpu: used / time.Duration(len(took)), memory: t.of.resident(),
	}
	if r.perSecond, err = t.closed(ctx, conns, o.peak); err != nil {
		return err
	}
	t.results = append(t.results, r)
	return nil
}

// open sends at a fixed rate, whatever becomes of earlier requests. A request that finds no free connection waits, and its wait counts.
func (t *target) open(ctx context.Context, conns []*conn, rate int, spell time.Duration) ([]time.Duration, error) {
	n := int(float64(rate) * spell.Seconds())
	due := make(chan time.Time, n) // All of them: the pacer never waits.
	took := make([][]time.Duration, len(conns))
	errs := make([]error, len(conns))
	var group sync.WaitGroup
	for i, c := range conns {
		group.Go(func() {
			for begun := range due {
				if err := c.ask(); err != nil {
					errs[i] = err
					return
				}
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	begun := time.Now()
	for i := 0; i < n && ctx.Err() == nil; {
		for i < n && time.Since(begun) >= time.Duration(i)*time.Second/time.Duration(rate) {
			due <- time.Now()
			i++
		}
		time.Sleep(200 * time.Microsecond)
	}
	close(due)
	group.Wait()
	return slices.Concat(took...), errors.Join(append(errs, ctx.Err())...)
}

// closed sends as fast as answers come.
func (t *target) closed(ctx context.Context, conns []*conn, spell time.Duration) (float64, error) {
	var done atomic.Int64
	errs := make([]error, len(conns))
	var group sync.WaitGroup
	begun := time.Now()
	for i, c := range conns {
		group.Go(func() {
			for time.Since(begun) < spell && ctx.Err() == nil {
				if errs[i] = c.ask(); errs[i] != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds(), errors.Join(append(errs, ctx.Err())...)
}

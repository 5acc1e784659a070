package usage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// The sizes and times of a log.
const (
	// defaultQueue holds a few seconds of a busy process; records without texts take about half a kilobyte each.
	defaultQueue = 4096
	// defaultBytes bounds the texts that wait: 64 MiB.
	defaultBytes = 64 << 20
	// batchSize is how many records one transaction writes. More would save little: what a transaction costs by itself is then below a tenth.
	batchSize = 128
	// defaultLinger is how long the first record of a batch waits for others.
	defaultLinger = 100 * time.Millisecond
	// The waits after a write that went wrong.
	firstRetry, lastRetry = 100 * time.Millisecond, 5 * time.Second
	// defaultFlush bounds the writing after the end of Run's context.
	defaultFlush = 10 * time.Second
)

// ErrClosed is the answer of a log that has ended.
var ErrClosed = errors.New("the history is closed")

// LogConfig is what a [Log] may be told; everything has a default.
type LogConfig struct {
	// StorePrompts is privacy.store_prompts: without it no text of a prompt or an answer gets past Add.
	StorePrompts bool
	// Queue bounds the records that wait, Bytes their texts.
	Queue int
	Bytes int64
	// Linger is how long a record waits for others to share a transaction with; below zero means not at all.
	Linger time.Duration
	// Flush bounds the writing at the end.
	Flush time.Duration
	// OnError is told of writes that went wrong and are tried again, and OnWrite how many records a write kept and how long it took.
	OnError func(error)
	OnWrite func(records int, took time.Duration)
}

// Log writes records off the request's path. [Log.Run] owns the writing. It is safe for concurrent use.
type Log struct {
	store Appender
	cfg   LogConfig
	// wake has room for one: a second signal would say the same.
	wake chan struct{}
	// hurry asks for a write without linger; it has room for one for the same reason.
	hurry chan struct{}
	depth atomic.Int64

	// mu guards what is below.
	mu     sync.Mutex
	queue  []Record
	bytes  int64
	closed bool
	// added and kept count records; whoever waits for room or for a write waits for moved, which is closed when kept grows.
	added, kept uint64
	moved       chan struct{}
}

// NewLog makes a log that writes to the store once it runs.
func NewLog(store Appender, cfg LogConfig) *Log {
	if cfg.Queue <= 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = defaultBytes
	}
	if cfg.Linger == 0 {
		cfg.Linger = defaultLinger
	}
	if cfg.Flush <= 0 {
		cfg.Flush = defaultFlush
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	if cfg.OnWrite == nil {
		cfg.OnWrite = func(int, time.Duration) {}
	}
	return &Log{store: store, cfg: cfg, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), moved: make(chan struct{})}
}

// Add takes a record. It returns at once while there is room. When the store can't follow, it waits for room until the
// context ends, and its error then says that the record was not taken; nothing is lost silently.
func (l *Log) Add(ctx context.Context, r Record) error {
	if !l.cfg.StorePrompts || r.Private {
		r.hideTexts()
	}
	size := r.size()
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return ErrClosed
		}
		if l.depth.Load() < int64(l.cfg.Queue) && (l.bytes+size <= l.cfg.Bytes || l.bytes == 0) {
			l.queue = append(l.queue, r)
			l.bytes += size
			l.added++
			waiting := len(l.queue)
			l.depth.Add(1)
			l.mu.Unlock()
			if waiting == 1 || waiting == batchSize {
				signal(l.wake)
			}
			return nil
		}
		moved := l.moved
		l.mu.Unlock()
		signal(l.hurry)
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the history: %w", context.Cause(ctx))
		}
	}
}

// Flush waits until every record that was added before is kept: who reads the history calls it first and sees what was done.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	want := l.added
	for l.kept < want {
		if l.closed {
			l.mu.Unlock()
			return ErrClosed
		}
		moved := l.moved
		l.mu.Unlock()
		signal(l.hurry)
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for the history: %w", context.Cause(ctx))
		}
		l.mu.Lock()
	}
	l.mu.Unlock()
	return nil
}

// Depth says how many records wait.
func (l *Log) Depth() int { return int(l.depth.Load()) }

// Run writes until the context ends, then takes no more and writes what is left. Its error says how many records could not be kept.
func (l *Log) Run(ctx context.Context) error {
	var spare []Record
	for ctx.Err() == nil {
		l.wait(ctx)
		batch := l.take(spare)
		spare = l.write(ctx, batch, false)
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Flush)
	defer cancel()
	l.write(limited, l.take(spare), true)
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.moved)
	l.moved = make(chan struct{})
	if lost := l.added - l.kept; lost > 0 {
		return fmt.Errorf("the history could not keep the last %d records: %w", lost, context.Cause(limited))
	}
	return nil
}

// wait returns when something is to be written: a full batch, or what came within the linger, or what somebody waits for.
func (l *Log) wait(ctx context.Context) {
	select {
	case <-l.wake:
	case <-l.hurry:
		return
	case <-ctx.Done():
		return
	}
	if l.cfg.Linger < 0 || l.full() {
		return
	}
	linger := time.NewTimer(l.cfg.Linger)
	defer linger.Stop()
	for !l.full() {
		select {
		case <-linger.C:
			return
		case <-l.wake:
		case <-l.hurry:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *Log) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) >= batchSize
}

// take empties the queue; the spare memory of the last batch becomes the queue's.
func (l *Log) take(spare []Record) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.queue
	l.queue = spare[:0]
	return batch
}

// write keeps a batch in portions and gives its memory back, emptied. Until the context ends it tries again what went wrong.
// What it has not kept then goes back to the head of the queue, or is given up at the end of all.
func (l *Log) write(ctx context.Context, batch []Record, last bool) []Record {
	rest := batch
	for len(rest) > 0 {
		portion := rest[:min(batchSize, len(rest))]
		if !l.keep(ctx, portion) {
			if !last {
				l.putBack(rest)
			}
			break
		}
		rest = rest[len(portion):]
	}
	clear(batch)
	return batch
}

// keep writes one portion, as often as it takes. It says no only when the context ends first.
func (l *Log) keep(ctx context.Context, portion []Record) bool {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		began := time.Now()
		err := l.store.Append(ctx, portion)
		if err == nil {
			l.cfg.OnWrite(len(portion), time.Since(began))
			l.done(portion)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		l.cfg.OnError(fmt.Errorf("keep %d records of the history: %w", len(portion), err))
		retry := time.NewTimer(wait)
		select {
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			return false
		}
	}
}

// done makes room and tells whoever waits.
func (l *Log) done(portion []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range portion {
		l.bytes -= portion[i].size()
	}
	l.depth.Add(-int64(len(portion)))
	l.kept += uint64(len(portion))
	close(l.moved)
	l.moved = make(chan struct{})
}

// putBack returns records to the head of the queue, where the order of arrival wants them.
func (l *Log) putBack(rest []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(append(make([]Record, 0, len(rest)+len(l.queue)), rest...), l.queue...)
}

// size is what a record's texts take.
func (r *Record) size() int64 {
	return int64(len(r.Prompt) + len(r.Answer) + len(r.Attempts) + len(r.Validation))
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

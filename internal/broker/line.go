package broker

import (
	"context"
	"sync"
)

// Line keeps deliveries by class in memory until somebody takes them, the class named first before the others. It has no bound of its own: whoever
// puts into it has one. It is safe for concurrent use.
type Line struct {
	mu sync.Mutex

	waiting map[Queue]*fifo
	// changed is closed when something was put, and then replaced: takers wait for it.
	changed chan struct{}
}

// NewLine makes an empty line.
func NewLine() *Line {
	return &Line{waiting: map[Queue]*fifo{}, changed: make(chan struct{})}
}

// Put adds a delivery behind those of its class.
func (l *Line) Put(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.waiting[d.Queue]
	if q == nil {
		q = &fifo{}
		l.waiting[d.Queue] = q
	}
	q.push(d)
	close(l.changed)
	l.changed = make(chan struct{})
}

// Take gives the first delivery of the first class that has one, and waits where none has; false when the context ended.
func (l *Line) Take(ctx context.Context, queues []Queue) (Delivery, bool) {
	for ctx.Err() == nil {
		d, ok, changed := l.first(queues)
		if ok && d.Gone != nil && d.Gone() {
			continue
		}
		if ok {
			return d, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return Delivery{}, false
}

func (l *Line) first(queues []Queue) (Delivery, bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range queues {
		if q := l.waiting[name]; q != nil && q.len() > 0 {
			return q.pop(), true, nil
		}
	}
	return Delivery{}, false, l.changed
}

// Len gives how many deliveries of a class wait.
func (l *Line) Len(name Queue) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.waiting[name]; q != nil {
		return q.len()
	}
	return 0
}

// fifo is a slice that is taken from at the front; what was taken is given back when half of it is.
type fifo struct {
	items []Delivery
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(d Delivery) { f.items = append(f.items, d) }

func (f *fifo) pop() Delivery {
	d := f.items[f.head]
	f.items[f.head] = Delivery{} // Its closure is not kept alive.
	f.head++
	switch {
	case f.head == len(f.items):
		f.items, f.head = f.items[:0], 0
		if cap(f.items) > 4096 {
			f.items = nil // After a peak its memory goes back.
		}
	case f.head > 64 && f.head*2 > len(f.items):
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	return d
}

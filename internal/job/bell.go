package job

import "sync"

// Note says that something became of a job.
type Note struct {
	Job ID
	// Final says that it is over, and Stop that work for it may be under way that nobody wants any more.
	Final, Stop bool
}

// Bell tells those in this process who wait for a job that something became of it. What it tells is a hint: who listens looks into the store. It is safe for
// concurrent use; the zero Bell is ready.
type Bell struct {
	// Tell passes on to other processes, which call Hear, that work for a job is to stop; nil where there are none. Whatever else becomes of a job they see in the
	// store soon enough, and it would be a message for each.
	Tell func(Note)

	mu        sync.Mutex
	listening map[ID]map[*ear]struct{}
	always    []func(Note)
}

// ear is one who listens; its channel has room for one, since a second ring says the same.
type ear struct{ rung chan struct{} }

// Ring tells what happened in this process.
func (b *Bell) Ring(n Note) {
	b.Hear(n)
	if b.Tell != nil && n.Stop {
		b.Tell(n)
	}
}

// Hear tells what happened anywhere.
func (b *Bell) Hear(n Note) {
	b.mu.Lock()
	for e := range b.listening[n.Job] {
		select {
		case e.rung <- struct{}{}:
		default:
		}
	}
	always := b.always
	b.mu.Unlock()
	for _, f := range always {
		f(n)
	}
}

// Always has a function called with every note, before the bell is used.
func (b *Bell) Always(f func(Note)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.always = append(b.always, f)
}

// Listen gives what is sent to when something becomes of a job; stop ends that.
func (b *Bell) Listen(id ID) (rung <-chan struct{}, stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listening == nil {
		b.listening = map[ID]map[*ear]struct{}{}
	}
	if b.listening[id] == nil {
		b.listening[id] = map[*ear]struct{}{}
	}
	e := &ear{make(chan struct{}, 1)}
	b.listening[id][e] = struct{}{}
	return e.rung, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if delete(b.listening[id], e); len(b.listening[id]) == 0 {
			delete(b.listening, id)
		}
	}
}

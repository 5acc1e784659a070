package chaos

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// adversary carries out a schedule, and keeps a book of it.
type adversary struct {
	w *world

	mu sync.Mutex

	done map[string]int
	errs []error
	// stood are the times that processes stood still.
	stood []stood
	// lastKill is when the last process was killed.
	lastKill time.Time
}

// stood is a time that a process stood still.
type stood struct {
	process  string
	from, to time.Time
}

// run carries out all lanes side by side.
func (a *adversary) run(lanes []lane) {
	a.done = map[string]int{}
	var group sync.WaitGroup
	for _, l := range lanes {
		group.Go(func() {
			for _, s := range l.steps {
				<-time.After(s.after)
				err := a.do(l.of, s)
				a.mu.Lock()
				a.done[l.of+" "+s.what]++
				if err != nil {
					a.errs = append(a.errs, fmt.Errorf("%s %s: %w", s.what, l.of, err))
				}
				a.mu.Unlock()
			}
		})
	}
	group.Wait()
}

func (a *adversary) do(of string, s step) error {
	if of == "api" || of == "worker" {
		return a.toProcess(a.w.of(of)[s.which], s)
	}
	return a.toServer(of, s)
}

func (a *adversary) toProcess(p *process, s step) error {
	switch s.what {
	case paused:
		one := stood{process: p.String(), from: time.Now()}
		p.signal(syscall.SIGSTOP)
		<-time.After(s.lasts)
		p.signal(syscall.SIGCONT)
		one.to = time.Now()
		a.mu.Lock()
		a.stood = append(a.stood, one)
		a.mu.Unlock()
		return nil
	case restarted:
		if err := p.stop(); err != nil {
			return err
		}
	default:
		p.kill()
		a.mu.Lock()
		a.lastKill = time.Now()
		a.mu.Unlock()
	}
	<-time.After(s.lasts)
	return p.start()
}

func (a *adversary) toServer(name string, s step) error {
	begin, end := "", ""
	switch s.what {
	case killed:
		begin, end = "kill", "start"
	case paused:
		begin, end = "pause", "resume"
	case restarted:
		begin, end = "stop", "start"
	default:
		if err := a.w.servers.afflict(name, s.what); err != nil {
			return err
		}
		<-time.After(s.lasts)
		return a.w.servers.heal(name)
	}
	if err := a.w.servers.do(begin, name); err != nil {
		return err
	}
	<-time.After(s.lasts)
	return a.w.servers.do(end, name)
}

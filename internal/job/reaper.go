package job

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

// The times of a reaper.
const (
	reapEvery = time.Second
	leadEvery = 3 * time.Second
	leadLease = 10 * time.Second
	// reapLimit bounds one call of the store.
	reapLimit = 15 * time.Second
	// countEvery is the time between two counts of what waits, countLimit bounds one.
	countEvery = 5 * time.Second
	countLimit = 2 * time.Second
	// tellEvery is the time between two announcements of a class that stays due: who works finds more by itself, and messages must not pile up.
	tellEvery = time.Minute
	// DefaultUpload is how long an upload may rest, DefaultPortion how many rows of a kind one call changes.
	DefaultUpload  = time.Hour
	DefaultPortion = 500
)

// Leader is the reaper's name among those who lead something.
const Leader = "reaper"

// ReaperStore is the part of the store that a reaper uses.
type ReaperStore interface {
	Reap(ctx context.Context, p Policy) (Reaped, error)
	Lead(ctx context.Context, name, holder string, lease time.Duration) (bool, error)
	Depth(ctx context.Context) ([]Depth, error)
}

// Announcer tells workers of work; it does not wait.
type Announcer interface {
	Announce(m ...broker.Message)
}

// ReaperConfig is what a [Reaper] needs; Store, Holder and Bell are wanted.
type ReaperConfig struct {
	Store ReaperStore
	// Holder is the process among those of which one leads.
	Holder string
	Bell   *Bell
	// Announce tells workers of what is due; nil where there is no broker.
	Announce Announcer
	Policy   Policy
	// Random gives a duration below a bound; nil means chance.
	Random func(bound time.Duration) time.Duration
	// Over is told of each job that became final; nil means that nobody is.
	Over    func(Ended)
	Meter   Meter
	OnError func(error)
}

// Reaper puts right what time makes due: items of workers that are gone, deadlines, results and rows that are kept no longer. One runs in every process; the one whose
// process leads works, and where two take themselves for it the store keeps them apart.
type Reaper struct {
	cfg     ReaperConfig
	leads   bool
	renewed time.Time // when it last asked whether it leads
	counted time.Time
	// told is when a class that is due was announced last.
	told map[Priority]time.Time
}

// NewReaper makes a reaper.
func NewReaper(cfg ReaperConfig) *Reaper {
	p := &cfg.Policy
	p.MostAttempts, p.Upload, p.Portion = cmp.Or(p.MostAttempts, DefaultAttempts), cmp.Or(p.Upload, DefaultUpload), cmp.Or(p.Portion, DefaultPortion)
	if p.Again == nil {
		random := Rules{Random: cfg.Random}.filled().Random
		p.Again = func(losses int) time.Duration { return spread(losses, random) }
	}
	if cfg.Over == nil {
		cfg.Over = func(Ended) {}
	}
	if cfg.Meter == nil {
		cfg.Meter = Unmetered{}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	return &Reaper{cfg: cfg}
}

// Run works until the context ends. Trouble with the store is told, and tried again after a pause that grows.
func (r *Reaper) Run(ctx context.Context) error {
	for pause := reapEvery; ; {
		more, err := r.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.cfg.OnError(err)
			pause = min(2*pause, restless)
		case more:
			continue
		default:
			pause = reapEvery
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

// turn does one portion, where this process leads; more says that there may be more at once.
func (r *Reaper) turn(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reapLimit)
	defer cancel()
	if now := time.Now(); now.Sub(r.renewed) >= leadEvery {
		leads, err := r.cfg.Store.Lead(ctx, Leader, r.cfg.Holder, leadLease)
		if err != nil {
			r.leads = r.leads && now.Sub(r.renewed) < leadLease
			return false, fmt.Errorf("ask who puts jobs right: %w", err)
		}
		r.leads, r.renewed = leads, now
	}
	if !r.leads {
		return false, nil
	}
	done, err := r.cfg.Store.Reap(ctx, r.cfg.Policy)
	if err != nil {
		return false, fmt.Errorf("put jobs right: %w", err)
	}
	r.tell(done)
	r.count(ctx)
	return done.More, nil
}

func (r *Reaper) tell(done Reaped) {
	r.cfg.Meter.Reaped(done)
	for _, e := range done.Ended {
		r.cfg.Meter.Over(e.State)
		r.cfg.Over(e)
		r.cfg.Bell.Ring(Note{Job: e.Job, Final: true})
	}
	r.announce(done.Due, time.Now())
}

// announce tells workers of classes in which something has become due, and now and then of those that stay so.
func (r *Reaper) announce(due []Priority, now time.Time) {
	told := r.told
	r.told = map[Priority]time.Time{}
	for _, class := range due {
		at, was := told[class]
		if !was || now.Sub(at) >= tellEvery {
			at = now
			if r.cfg.Announce != nil {
				r.cfg.Announce.Announce(broker.Message{Queue: class.Queue(), ID: "due"})
			}
		}
		r.told[class] = at
	}
}

// count shows what waits. Only who leads counts: a long line takes the store a while. A count that fails is told, and holds nothing up.
func (r *Reaper) count(ctx context.Context) {
	now := time.Now()
	if now.Sub(r.counted) < countEvery {
		return
	}
	r.counted = now
	ctx, cancel := context.WithTimeout(ctx, countLimit)
	defer cancel()
	list, err := r.cfg.Store.Depth(ctx)
	if err != nil {
		r.cfg.OnError(fmt.Errorf("count the jobs that wait: %w", err))
		return
	}
	r.cfg.Meter.Depths(list)
}

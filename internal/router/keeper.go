package router

import (
	"context"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Row is what was learned of a schema at a model as it is kept. Team and Schema are zero in the rows of models over all schemas.
type Row struct {
	Team            key.TeamID
	Schema          [32]byte
	Name            string // how answers call the schema
	Provider, Model string
	Figures         Figures
}

type rowKey struct {
	lesson lessonKey
	model  modelKey
}

// Store keeps what was learned. Its methods are safe for concurrent use; on a context that has ended they change nothing and give its error.
type Store interface {
	// Learned gives the rows, those that changed last first, at most so many.
	Learned(ctx context.Context, most int) ([]Row, error)
	// Learn keeps rows in one transaction, each in place of the one of the same team, schema, provider and model; then it deletes the oldest beyond most.
	// Times are kept to the microsecond.
	Learn(ctx context.Context, rows []Row, most int) error
}

// How what was learned is written.
const (
	// mostRows bounds what is kept: some megabytes.
	mostRows = 20_000
	// writeEvery is how much may be forgotten by a crash.
	writeEvery = 10 * time.Second
	// writeBatch bounds a transaction.
	writeBatch = 256
	// lastWrite bounds the writing at the end.
	lastWrite = 5 * time.Second
)

// Keeper writes what was learned in the background, and reads it at the start.
type Keeper struct {
	Learned *Learned
	Store   Store
	// OnError is told of writes that went wrong; they are tried again.
	OnError func(error)
}

// Load takes over what an earlier run has kept.
func (k *Keeper) Load(ctx context.Context) error {
	rows, err := k.Store.Learned(ctx, mostRows)
	if err != nil {
		return fmt.Errorf("read what was learned: %w", err)
	}
	k.Learned.restore(rows)
	return nil
}

// Run writes until the context ends, and then what is left.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := k.write(ctx); err != nil && ctx.Err() == nil {
				k.OnError(err)
			}
		case <-ctx.Done():
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			return k.write(limited)
		}
	}
}

func (k *Keeper) write(ctx context.Context) error {
	for {
		rows := k.Learned.take(writeBatch)
		if len(rows) == 0 {
			return nil
		}
		if err := k.Store.Learn(ctx, rows, mostRows); err != nil {
			k.Learned.putBack(rows)
			return fmt.Errorf("keep what was learned: %w", err)
		}
	}
}

// take gives some of the rows that changed since they were written.
func (l *Learned) take(most int) []Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rows []Row
	for k := range l.changed {
		if len(rows) == most {
			break
		}
		delete(l.changed, k)
		row := Row{Team: k.lesson.team, Schema: k.lesson.schema, Provider: k.model.provider, Model: k.model.model}
		f := l.models[k.model]
		if k.lesson != (lessonKey{}) {
			of := l.lessons[k.lesson]
			if of == nil {
				continue // It was forgotten since.
			}
			row.Name, f = of.name, of.models[k.model]
		}
		if f == nil {
			continue // The lesson was forgotten, and begun again with another model.
		}
		row.Figures = *f
		rows = append(rows, row)
	}
	return rows
}

// putBack marks rows that could not be written.
func (l *Learned) putBack(rows []Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		l.changed[rowKey{lessonKey{r.Team, r.Schema}, modelKey{r.Provider, r.Model}}] = struct{}{}
	}
}

// restore takes over rows, those that changed last first.
func (l *Learned) restore(rows []Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		k, f := modelKey{r.Provider, r.Model}, r.Figures
		at := lessonKey{r.Team, r.Schema}
		if at == (lessonKey{}) {
			l.models[k] = &f
			continue
		}
		of := l.lessons[at]
		if of == nil {
			if len(l.lessons) >= mostLessons {
				continue
			}
			of = &lesson{name: r.Name, models: map[modelKey]*Figures{}, used: f.Updated}
			l.lessons[at] = of
		}
		of.models[k] = &f
	}
}

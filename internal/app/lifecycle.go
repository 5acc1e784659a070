package app

import (
	"context"
	"errors"
	"fmt"
)

// owner is something that runs for as long as the program does.
type owner struct {
	name string
	run  func(context.Context) error
}

// cleanup is something to be undone at the end.
type cleanup struct {
	name string
	do   func(context.Context) error
}

// lifecycle remembers what to undo, last in first out. It is used by one goroutine at a time.
type lifecycle struct{ cleanups []cleanup }

// atEnd adds a cleanup.
func (l *lifecycle) atEnd(name string, do func(context.Context) error) {
	l.cleanups = append(l.cleanups, cleanup{name, do})
}

// unwind undoes everything; a second call does nothing.
func (l *lifecycle) unwind(ctx context.Context) error {
	var errs []error
	for len(l.cleanups) > 0 {
		last := l.cleanups[len(l.cleanups)-1]
		l.cleanups = l.cleanups[:len(l.cleanups)-1]
		if err := last.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

// Package memory is the broadcaster of a service that is one process: it tells its own subscribers at once, and has nobody else to tell.
//
// It is not for several processes. The main type is [Broadcaster].
package memory

import (
	"context"

	"github.com/promptd/promptd/internal/broadcast"
)

// Broadcaster tells the subscribers of this process. Its zero value is ready.
type Broadcaster struct{ audience broadcast.Audience }

// Publish tells every subscriber of the topic before it returns.
func (b *Broadcaster) Publish(ctx context.Context, topic broadcast.Topic, payload string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := broadcast.Check(topic, payload); err != nil {
		return err
	}
	b.audience.Hear(topic, payload)
	return nil
}

// Subscribe has the subscriber told of a topic. It can miss nothing.
func (b *Broadcaster) Subscribe(topic broadcast.Topic, s broadcast.Subscriber) (stop func()) {
	return b.audience.Add(topic, s)
}

// Hearing is always so.
func (b *Broadcaster) Hearing() bool { return true }

var _ broadcast.Broadcaster = (*Broadcaster)(nil)

// Package broadcast tells every process that something has changed: a key was revoked, a schema withdrawn, answers dropped, a job moved.
//
// It carries hints and no truth: what is told stands in the database already, and who hears it reads it again or forgets what it has kept. So a message
// may get lost, and is never repeated; what is promised is that nobody is left believing that nothing was lost (see [Subscriber]).
//
// The main interface is [Broadcaster]; broadcast/memory serves one process, broadcast/redis several. An [Audience] holds the subscribers of either.
package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Topic is what a message is about.
type Topic string

// The topics. A payload is made and read by the package that the topic is about.
const (
	// Keys: a key or a team was changed or revoked.
	Keys Topic = "keys"
	// Schemas: a version of a schema was registered, withdrawn or brought back.
	Schemas Topic = "schemas"
	// Templates: the same of a template.
	Templates Topic = "templates"
	// Cache: answers were dropped.
	Cache Topic = "cache"
	// Jobs: a job was submitted, has moved on or was cancelled.
	Jobs Topic = "jobs"
)

// Topics gives all of them.
func Topics() []Topic { return []Topic{Keys, Schemas, Templates, Cache, Jobs} }

// MaxPayload bounds the bytes of a message: it names what has changed, and does not carry it.
const MaxPayload = 64 << 10

// ErrNotTold says that other processes were not told. Subscribers of this one were; those of others are told [Subscriber.Missed] as soon as they can be reached.
var ErrNotTold = errors.New("broadcast: other processes were not told")

// Broadcaster tells and hears. It is safe for concurrent use. Somebody owns it and runs it, where it has a Run; without, only its own process hears it.
type Broadcaster interface {
	// Publish tells every subscriber of the topic in every process. Those of this process have been told when it returns; those of others soon after, in
	// the order in which this process published. An error is ErrNotTold, that of the context, or of a payload that is too large.
	Publish(ctx context.Context, topic Topic, payload string) error
	// Subscribe has the subscriber told of a topic until stop is called; a call that is under way then may still end later.
	Subscribe(topic Topic, s Subscriber) (stop func())
	// Hearing says whether messages of other processes are received at present.
	Hearing() bool
}

// Subscriber is told one thing after the other, and returns soon: others wait meanwhile. It may publish, not subscribe.
type Subscriber struct {
	// Hear takes a message.
	Hear func(payload string)
	// Missed says that messages may have been lost: whatever was kept because nobody said otherwise is in doubt. It is told after a connection was made,
	// the first one included, and where another process could not publish. Nil is for subscribers who keep nothing.
	Missed func()
}

// Check says whether a message can be published. Broadcasters call it first, so that the rule is the same in each.
func Check(topic Topic, payload string) error {
	if !slices.Contains(Topics(), topic) {
		return fmt.Errorf("broadcast: there is no topic %q", topic)
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("broadcast: a message of %d bytes, at most %d are sent", len(payload), MaxPayload)
	}
	return nil
}

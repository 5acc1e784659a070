package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"
)

// Listen takes the messages of a channel over a connection of its own, until the connection is lost or the context ends; it then returns why, never nil.
// Joined is called once the server has confirmed the subscription: what is published from then on is received, each message at most once. Hear is called
// for one message after the other; while it runs, others wait on the server, which cuts off a listener that is too slow.
//
// A connection whose server says nothing is found out within about two seconds, by pings.
func (c *Client) Listen(ctx context.Context, channel string, joined func(), hear func(payload string)) error {
	conn := c.conn.Load()
	if conn == nil {
		return ErrAway
	}
	own, release := (*conn).Dedicate()
	defer release()
	defer own.Close() // It is not given back to the pool: another subscription begins on a fresh one.
	confirmed := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			joined()
		}
	})
	err := own.Receive(confirmed, own.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) { hear(m.Message) })
	if gone := ctx.Err(); gone != nil {
		return gone
	}
	if err == nil {
		return fmt.Errorf("%w: the subscription ended", ErrAway)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// Publish tells a payload to who listens to the channel now, after what this client has published before, and gives how many listen at the server that
// was asked; in a cluster others may hear it too.
func (c *Client) Publish(ctx context.Context, channel, payload string) (int64, error) {
	return c.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		// Of the channel's slot, as if it were a key: in a cluster all go by one server, which keeps their order.
		return b.Arbitrary("PUBLISH").Keys(channel).Args(payload).Build()
	}).AsInt64()
}

package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
)

// window is how many messages are on their way to a queue without a confirmation.
const window = 1024

// outlet publishes to one queue, on a channel of its own, so that one queue's silence is not another's.
type outlet struct {
	queue broker.Queue
	// turn has room for one token: whoever has it publishes, and waits for its confirmations. So what comes back is always of one caller; those who want
	// more at a time hand over more at a time, as the relay does.
	turn chan struct{}

	// The following belong to the holder of the turn.
	session *session
	ch      *amqp.Channel // nil where the next use opens it
	returns chan amqp.Return
	// doubtful says that the queue may be gone: the next use declares it.
	doubtful bool
}

// Publish hands messages over; see broker.Broker. Each queue's are sent in windows and confirmed by the server, which has them on disk then.
func (b *Broker) Publish(ctx context.Context, m ...broker.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := broker.Check(m); err != nil {
		return err
	}
	var errs []error
	for _, q := range broker.Queues() {
		var ids []string
		for _, message := range m {
			if message.Queue == q {
				ids = append(ids, message.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if err := b.publish(ctx, b.outlets[q], ids); err != nil {
			errs = append(errs, fmt.Errorf("publish to %s: %w", b.names.queue(q), err))
		}
	}
	return errors.Join(errs...)
}

func (b *Broker) publish(ctx context.Context, o *outlet, ids []string) error {
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-o.turn }()
	for len(ids) > 0 {
		n := min(len(ids), window)
		if err := b.publishWindow(ctx, o, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (b *Broker) publishWindow(ctx context.Context, o *outlet, ids []string) error {
	s, err := b.publishing.get()
	if err != nil {
		return err
	}
	if reason := s.blocked.Load(); reason != nil {
		return fmt.Errorf("%w: the server takes no messages now: %s", broker.ErrUnavailable, *reason)
	}
	if err := b.standing.held(o.queue); err != nil {
		return err
	}
	if err := o.open(b, s); err != nil {
		return fmt.Errorf("%w: %w", broker.ErrUnavailable, err)
	}
	sent, err := o.send(b.names.queue(o.queue), ids)
	if err != nil {
		o.close()
		return fmt.Errorf("%w: %w", broker.ErrUnavailable, err)
	}
	return b.confirmed(ctx, o, sent)
}

// open makes the channel of a queue on the connection at hand. All queues were declared when it was opened; one that gave reason to doubt is again.
func (o *outlet) open(b *Broker, s *session) error {
	if o.session == s && o.ch != nil && !o.ch.IsClosed() {
		return nil
	}
	if o.session == s && (o.ch != nil || o.doubtful) {
		if err := b.declare(s, o.queue); err != nil {
			b.standing.hold(o.queue, heldFor, err)
			return err
		}
	}
	ch, err := s.channel()
	if err != nil {
		return err
	}
	if err := s.call("ask for confirmations", func() error { return ch.Confirm(false) }); err != nil {
		s.leave(ch)
		return err
	}
	o.session, o.ch, o.doubtful = s, ch, false
	o.returns = ch.NotifyReturn(make(chan amqp.Return, window)) // As many as may be on their way, so that the client's reader never waits.
	return nil
}

// close gives the channel up: what comes later on it is nobody's.
func (o *outlet) close() {
	o.session.leave(o.ch)
	o.ch, o.doubtful = nil, true
}

func (o *outlet) send(queue string, ids []string) ([]*amqp.DeferredConfirmation, error) {
	sent := make([]*amqp.DeferredConfirmation, 0, len(ids))
	for _, id := range ids {
		c, err := o.ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
			ContentType: "text/plain", DeliveryMode: amqp.Persistent, Body: []byte(id),
		})
		if err != nil {
			return nil, err
		}
		sent = append(sent, c)
	}
	return sent, nil
}

// confirmed waits until the server has answered for every message. Where it does not, the channel is given up.
func (b *Broker) confirmed(ctx context.Context, o *outlet, sent []*amqp.DeferredConfirmation) error {
	limit := time.NewTimer(b.cfg.ConfirmLimit)
	defer limit.Stop()
	refused := 0
	for _, c := range sent {
		select {
		case <-c.Done():
		case <-limit.C:
			err := fmt.Errorf("%w: no confirmation within %s", broker.ErrUnavailable, b.cfg.ConfirmLimit)
			b.standing.hold(o.queue, heldFor, err)
			o.close()
			return err
		case <-ctx.Done():
			o.close()
			return fmt.Errorf("wait for the confirmation: %w", ctx.Err())
		}
		if !c.Acked() {
			refused++
		}
	}
	if refused > 0 && o.ch.IsClosed() {
		return fmt.Errorf("%w: the channel ended before %d of %d messages were confirmed", broker.ErrUnavailable, refused, len(sent))
	}
	if refused > 0 {
		return fmt.Errorf("%w: %d of %d messages were refused", broker.ErrFull, refused, len(sent))
	}
	return o.returned(b)
}

// returned looks for messages that came back since there is no such queue. The client hands over what comes back before it hands over the confirmation,
// so all of them are there. The queue is declared when the server has told the consumers of the one that was.
func (o *outlet) returned(b *Broker) error {
	n := 0
	for {
		select {
		case _, ok := <-o.returns:
			if ok {
				n++
				continue
			}
		default:
		}
		break
	}
	if n == 0 {
		return nil
	}
	o.close()
	err := fmt.Errorf("%w: %d messages came back, since there is no queue %s; it is declared in a moment", broker.ErrUnavailable, n, b.names.queue(o.queue))
	b.standing.hold(o.queue, settleFor, err)
	return err
}

package job

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
)

// shareLimit bounds the message that a job is over; without it other processes see that within a second, and workers with their next heartbeat.
const shareLimit = time.Second

// stopped follows the id of a job whose work is to stop.
const stopped = " stop"

// Share lets bells of several processes ring together: the end of a job in one stops the work for it in the others, and wakes those who watch it. It is called before
// the bell is used; stop ends the hearing.
func Share(bell *Bell, all broadcast.Broadcaster, onError func(error)) (stop func()) {
	bell.Tell = func(n Note) {
		ctx, cancel := context.WithTimeout(context.Background(), shareLimit)
		defer cancel()
		payload := string(n.Job)
		if n.Stop {
			payload += stopped
		}
		if err := all.Publish(ctx, broadcast.Jobs, payload); err != nil {
			onError(fmt.Errorf("tell other processes that the job %s is over: %w", n.Job, err))
		}
	}
	return all.Subscribe(broadcast.Jobs, broadcast.Subscriber{
		Hear: func(payload string) {
			id, stop := strings.CutSuffix(payload, stopped)
			bell.Hear(Note{Job: ID(id), Final: true, Stop: stop})
		},
	})
}

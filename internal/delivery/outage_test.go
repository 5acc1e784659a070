package delivery_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/delivery"
)

// Nobody sends for longer than messages are tried, and then there is more than can be sent at once: each is sent nevertheless.
func TestWhatWaitedThroughAnOutageIsSentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 20
		s := newScene(t, func(context.Context, delivery.Request, int) (delivery.Answer, error) {
			<-time.After(14 * time.Second)
			return delivery.Answer{Status: http.StatusOK}, nil
		})
		for n := range many {
			s.store.Tell(message("acme", n), inline(hook))
		}
		<-time.After(30 * time.Hour)
		s.run(1, func(c *delivery.SenderConfig) { c.PerHost = 1 })
		<-time.After(20 * time.Minute)
		s.end()
		for id, d := range s.all() {
			if d.Status != delivery.Delivered {
				t.Errorf("the message of %s is %s (%s), want it delivered", id, d.Status, d.LastError)
			}
		}
	})
}

package delivery_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
)

// Two teams have more hosts that never answer than there are workers. A team that comes afterwards is told before the first of them is given up.
func TestATeamsDeadHostsDoNotHoldAllSenders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(_ context.Context, r delivery.Request, _ int) (delivery.Answer, error) {
			if strings.Contains(r.URL, "dead") {
				<-time.After(15 * time.Second)
				return delivery.Answer{}, &delivery.SendError{Kind: delivery.ErrorTimeout}
			}
			return delivery.Answer{Status: http.StatusOK}, nil
		})
		for n := range 200 {
			team := key.TeamID(fmt.Sprint("acme", n%2))
			s.store.Tell(message(team, n), inline(fmt.Sprintf("https://dead%d.example.com/x", n)))
		}
		s.run(1)
		<-time.After(2 * time.Second)
		late := message("zeta", 1000)
		s.store.Tell(late, inline(hook))
		<-time.After(2 * time.Second)
		d := s.all()[late.Job]
		s.end()
		if d.Status != delivery.Delivered {
			t.Errorf("the other team's message is %s after 2 s, want it delivered", d.Status)
		}
	})
}

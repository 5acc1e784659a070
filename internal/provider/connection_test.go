package provider_test

import (
	"net/http/httptrace"
	"testing"

	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	for _, streamed := range []bool{false, true} {
		service := providertest.New(t, providertest.Settings{Text: "an answer"})
		p := account(t, service.URL(), nil)
		reused := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if i.Reused {
				reused++
			}
		}})
		const calls = 8
		for range calls {
			var sink func(string) error
			if streamed {
				sink = func(string) error { return nil }
			}
			if _, _, err := p.Call(ctx, &p.Models()[0], question("x"), sink); err != nil {
				t.Fatal(err)
			}
		}
		if reused != calls-1 {
			t.Errorf("streamed %v: %d of %d calls came on a kept connection, want %d", streamed, reused, calls, calls-1)
		}
	}
}

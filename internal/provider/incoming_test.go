package provider_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// An error is what its status says, however long its body is, and where that breaks off.
func TestLongErrorsAreWhatTheirStatusSays(t *testing.T) {
	t.Parallel()
	const long, cut = 17 << 20, 1000
	service := providertest.New(t, providertest.Settings{})
	for _, reply := range []providertest.Reply{
		{Status: 503, Body: strings.Repeat("x", long)}, {Status: 503, Body: strings.Repeat("x", long), Fault: providertest.CutBody, CutAt: cut},
	} {
		for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
			service.Queue(reply)
			p := account(t, service.URL(), nil)
			_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink)
			if failed := failure(t, err); failed.Outcome != dialect.OverloadedProvider || a.Status != 503 || len(err.Error()) > 300 {
				t.Errorf("cut %v, streamed %v: %.300v, status %d", reply.CutAt > 0, sink != nil, err, a.Status)
			}
		}
	}
}

// A stream that goes on beyond the bound is an answer of no use, and no lost connection that a repeat would mend.
func TestAStreamBeyondItsBoundIsInvalid(t *testing.T) {
	t.Parallel()
	const most, piece = 16 << 20, 1 << 20
	chunks := make([]string, most/piece+2)
	for i := range chunks {
		chunks[i] = strings.Repeat("x", piece)
	}
	service := providertest.New(t, providertest.Settings{})
	service.Queue(providertest.Reply{Chunks: chunks})
	p := account(t, service.URL(), nil)
	n := 0
	_, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), func(text string) error {
		n += len(text)
		return nil
	})
	if failed := failure(t, err); failed.Outcome != dialect.Invalid || failed.Code != dialect.CodeTooLarge || n == 0 || n > most {
		t.Errorf("%v after %d bytes", err, n)
	}
}

package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestAnAnswerThatDidNotEndAsCompleteNeverPasses(t *testing.T) {
	t.Parallel()
	for _, stop := range []string{"insufficient_system_resource", "error", "something_new"} {
		h := setup(t, rig{})
		h.service.Queue(providertest.Reply{Text: `{"n":7}`, Stop: stop}, says(`{"n":8}`))
		a := h.must(t, request(small, ``))
		if n, _ := a.Valid.Value().Get("n"); n.Text() != "8" || len(a.Attempts) != 2 {
			t.Errorf("%s: answered %s after %d attempts, want the second attempt's", stop, a.Valid.Value(), len(a.Attempts))
		}
		h.service.Queue(providertest.Reply{Text: `{"n":7}`, Stop: stop})
		h.refused(t, `{"prompt":"others","schema":`+small+`,"options":{"max_attempts":1}}`, fault.ProviderError)
	}
}

func TestACallerThatLeftIsNotAFaultOfTheProvider(t *testing.T) {
	t.Parallel()
	for _, body := range []string{request(small, `"bypass_cache":true`), request(small, ``)} {
		h := setup(t, rig{})
		hold := make(chan struct{})
		h.service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := h.askAs(ctx, t, h.who, body)
			done <- err
		}()
		for h.service.InFlight() == 0 {
			time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
		}
		leave()
		if err := <-done; !fault.Is(err, fault.Timeout) || !strings.Contains(err.Error(), "went away") {
			t.Errorf("%s: %v, want that the caller went away", body, err)
		}
		close(hold)
		if r := h.history.last(t); r.Code != fault.Timeout.String() {
			t.Errorf("%s: recorded as %s", body, r.Code)
		}
	}
}

func TestALimitOfTimeThatEndsBeforeTheCallIsATimeout(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	ctx, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()
	for _, body := range []string{request(small, ``), request(small, `"bypass_cache":true`), `{"prompt":"x"}`} {
		if _, err := h.askAs(ctx, t, h.who, body); !fault.Is(err, fault.Timeout) {
			t.Errorf("%s: %v, want a timeout", body, err)
		}
	}
	if n := h.service.Requests(); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestTheDetailOfAnImageReachesTheModel(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}, capability: dialect.Capability{Vision: true}})
	ask := func(detail string) string {
		return `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="` + detail + `}}]}],"schema":` + small + `}`
	}
	for _, c := range []struct {
		detail, sent string
		cached       bool
	}{{``, "", false}, {`,"detail":"auto"`, "", true}, {`,"detail":"low"`, `"detail":"low"`, false}, {`,"detail":"high"`, `"detail":"high"`, false}} {
		before := h.service.Requests()
		if a := h.must(t, ask(c.detail)); a.Cached != c.cached {
			t.Errorf("%q: cached %v, want %v", c.detail, a.Cached, c.cached)
		}
		if c.cached {
			continue
		}
		list := h.exchanges(t, before+1)
		body := string(list[len(list)-1].Body)
		if c.sent == "" && strings.Contains(body, `"detail"`) || !strings.Contains(body, c.sent) {
			t.Errorf("%q: sent %s", c.detail, body)
		}
	}
}

func TestWhoIsLeftOfASharedCallRecordsItAndKeepsItsAnswer(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	hold := make(chan struct{})
	h.service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := h.askAs(ctx, t, h.who, request(small, ``))
		first <- err
	}()
	for h.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	type result struct {
		a   *Answer
		err error
	}
	second := make(chan result, 1)
	go func() {
		a, err := h.askAs(context.Background(), t, h.who, request(small, ``))
		second <- result{a, err}
	}()
	for h.counted.of("cache miss") < 2 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
	time.Sleep(20 * time.Millisecond) //nolint:forbidigo // From the miss to the wait it is a few microseconds; too early would share nothing and ask twice.
	leave()
	if err := <-first; !fault.Is(err, fault.Timeout) {
		t.Fatalf("the first caller: %v", err)
	}
	if r := h.history.last(t); len(r.Attempts) != 0 {
		t.Errorf("the one that left records %s, which has not ended", r.Attempts)
	}
	close(hold)
	got := <-second
	if got.err != nil || got.a.Coalesced || len(got.a.Attempts) != 1 || !got.a.Cost.Known || got.a.Cost.Nano == 0 {
		t.Fatalf("the second caller: %+v, %v", got.a, got.err)
	}
	if r := h.history.last(t); len(r.Attempts) == 0 || r.Tokens.Output == 0 {
		t.Errorf("nobody records the call: %+v", r)
	}
	if a := h.must(t, request(small, ``)); !a.Cached || h.service.Requests() != 1 {
		t.Error("nobody kept the answer")
	}
}

func TestWhatACallerThatLeftHadTriedIsRecorded(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	hold := make(chan struct{})
	h.service.Queue(says(`{"n":"no"}`), providertest.Reply{Text: `{"n":7}`, Hold: hold})
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.askAs(ctx, t, h.who, request(small, ``))
		done <- err
	}()
	for h.service.InFlight() == 0 || h.service.Requests() < 2 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	leave()
	if err := <-done; !fault.Is(err, fault.Timeout) {
		t.Fatal(err)
	}
	close(hold)
	if r := h.history.last(t); strings.Count(string(r.Attempts), `"outcome"`) != 2 || !strings.Contains(string(r.Attempts), `"cancelled"`) {
		t.Errorf("recorded: %s", r.Attempts)
	}
}

func TestASharedFailureIsNotThatOfACallerWhoAllowsMoreAttempts(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	hold := make(chan struct{})
	h.service.Queue(providertest.Reply{Text: `{"n":"no"}`, Hold: hold}, says(`{"n":7}`))
	first := make(chan error, 1)
	go func() {
		_, err := h.askAs(context.Background(), t, h.who, request(small, `"max_attempts":1`))
		first <- err
	}()
	for h.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	second := make(chan error, 1)
	go func() {
		a, err := h.askAs(context.Background(), t, h.who, request(small, `"max_attempts":3`))
		if err == nil && (len(a.Attempts) != 1 || a.Coalesced) {
			err = fmt.Errorf("%d attempts, coalesced %v", len(a.Attempts), a.Coalesced)
		}
		second <- err
	}()
	for h.counted.of("cache miss") < 2 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
	time.Sleep(20 * time.Millisecond) //nolint:forbidigo // As above, from the miss to the wait.
	close(hold)
	if err := <-first; !fault.Is(err, fault.ValidationFailed) {
		t.Errorf("the first caller: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second caller: %v", err)
	}
	if n := h.service.Requests(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// What one caller may not spend says nothing about another who asks the same.
func TestLimitsOfTheFirstCallerAreItsOwn(t *testing.T) {
	t.Parallel()
	for _, code := range []fault.Code{fault.BudgetExceeded, fault.RateLimitExceeded, fault.Timeout} {
		if !ownLimit(fault.New(code, "spent")) {
			t.Errorf("%s ends a shared call for all of its callers", code)
		}
	}
	if ownLimit(fault.New(fault.ValidationFailed, "broken")) {
		t.Error("an invalid answer is asked for again by each caller")
	}
}

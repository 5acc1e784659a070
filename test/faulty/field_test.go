package faulty

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// The recipe by which gateways were measured against a faulty provider (reference/field.md of the design): 200 requests, 8 at once, of which the provider answers
// 20 % in malformed JSON (a quarter each fenced, cut off, wrapped in prose, in single quotes with a trailing comma), 10 % with a 500 and 5 % never; under
// "drift" 10 % more break the schema (a quarter each by a wrong type, a missing member, one too many, a value outside the enum). Faults are dealt from shuffled
// decks of 100, so that shares are exact. Through chat completions, with max_attempts 6.

const (
	fieldRequests = 200
	fieldAtOnce   = 8

	fieldSchema = `{"type":"object","properties":{"number":{"type":"string"},"currency":{"enum":["EUR","USD"]},"seller":{"type":"object","properties":{"name":{"type":"string"},` +
		`"city":{"type":"string"}},"required":["name","city"],"additionalProperties":false},"lines":{"type":"array","items":{"type":"object","properties":{"text":{"type":"string"},` +
		`"count":{"type":"integer"}},"required":["text","count"],"additionalProperties":false}}},"required":["number","currency","seller","lines"],"additionalProperties":false}`
	fieldTruth = `{"number":"INV-7","currency":"EUR","seller":{"name":"O'Neill & Söhne","city":"Köln"},"lines":[{"text":"Tea, green","count":2},{"text":"Cup","count":1}]}`
)

// deck is a shuffled hundred of replies.
func deck(rng *rand.Rand, drift bool, never <-chan struct{}) []providertest.Reply {
	text := func(s string) providertest.Reply { return providertest.Reply{Text: s} }
	single := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(fieldTruth, `O'Neill`, `O\'Neill`), `"`, `'`), `}]}`, `},]}`)
	broken := func(old, new string) providertest.Reply { return text(strings.Replace(fieldTruth, old, new, 1)) }
	var cards []providertest.Reply
	add := func(n int, r providertest.Reply) {
		for range n {
			cards = append(cards, r)
		}
	}
	add(5, text("```json\n"+fieldTruth+"\n```"))
	add(5, text(fieldTruth[:len(fieldTruth)*2/3]))
	add(5, text("Sure! Here is the data you asked for:\n"+fieldTruth+"\nLet me know if you need anything else."))
	add(5, text(single))
	add(10, providertest.Reply{Status: http.StatusInternalServerError, Body: `{"error":{"message":"The server had an error.","type":"server_error"}}`})
	add(5, providertest.Reply{Hold: never})
	if drift {
		add(3, broken(`"count":2`, `"count":{"n":2}`)) // Ten of four kinds: 3, 3, 2, 2.
		add(3, broken(`"currency":"EUR",`, ``))
		add(2, broken(`"number"`, `"extra":{"a":[1]},"number"`))
		add(2, broken(`"EUR"`, `"gold"`))
	}
	const whole = 100
	add(whole-len(cards), text(fieldTruth))
	rng.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	return cards
}

func TestAFaultyProviderBehindChatCompletions(t *testing.T) {
	seeds, timeout := 2, 700*time.Millisecond
	if os.Getenv("PROMPTD_FULL") != "" {
		seeds, timeout = 5, 2*time.Second
	}
	for _, kind := range []struct {
		name  string
		drift bool
		calls float64 // provider calls a request at most
	}{{"faulty", false, 1.5}, {"drift", true, 1.6}} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s, seed %d", kind.name, seed+1), func(t *testing.T) {
				never := make(chan struct{})
				defer close(never)
				service := providertest.New(t, providertest.Settings{Keep: -1})
				rng := rand.New(rand.NewPCG(uint64(seed)+1, 7)) //nolint:gosec // Chance that repeats is the point.
				const decks = 14
				for range decks {
					service.Queue(deck(rng, kind.drift, never)...)
				}
				url, secret := serve(t, fmt.Sprintf("routing: {retries: {base: 5ms, cap: 50ms}}\nproviders:\n  - {name: chat, dialect: openai, base_url: \"%s/v1\", timeout: %s, models: [{name: m}]}\n",
					service.URL(), timeout))
				valid, wrong, others := field(t, url, secret)
				calls := float64(service.Requests()) / fieldRequests
				t.Logf("%d of %d valid, %d wrong, %.3f provider calls a request; others: %v", valid, fieldRequests, wrong, calls, others)
				if valid < fieldRequests-1 || wrong > 0 || calls > kind.calls {
					t.Errorf("want at least %d valid, none wrong, at most %.1f calls a request", fieldRequests-1, kind.calls)
				}
			})
		}
	}
}

// field sends the requests and judges their answers: one that is another value than the provider's right answer is wrong, whatever it says of itself.
func field(t *testing.T, url, secret string) (valid, wrong int, others map[string]int) {
	t.Helper()
	others = map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	next := make(chan int)
	for range fieldAtOnce {
		group.Go(func() {
			for i := range next {
				status, content, why := chat(t, url, secret, i)
				mu.Lock()
				switch {
				case status == http.StatusOK && cmp.Equal(decoded(content), decoded(fieldTruth)):
					valid++
				case status == http.StatusOK:
					wrong++
					t.Errorf("request %d got %s", i, content)
				default:
					others[why]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range fieldRequests {
		next <- i
	}
	close(next)
	group.Wait()
	return valid, wrong, others
}

func decoded(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// chat makes one chat completion; every fourth is streamed.
func chat(t *testing.T, url, secret string, i int) (status int, content, why string) {
	t.Helper()
	stream := i%4 == 3
	body := fmt.Sprintf(`{"model":"auto","stream":%t,"messages":[{"role":"user","content":"Read invoice %d."}],"promptd":{"max_attempts":6,"timeout_ms":60000},`+
		`"response_format":{"type":"json_schema","json_schema":{"name":"invoice","strict":true,"schema":%s}}}`, stream, i, fieldSchema)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, "", "no request"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req) //nolint:forbidigo // A test's client.
	if err != nil {
		t.Error(err)
		return 0, "", "no answer"
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
		return 0, "", "a cut answer"
	}
	var pieces [][]byte
	if stream && resp.StatusCode == http.StatusOK {
		for line := range bytes.Lines(raw) {
			if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: ")); ok && string(data) != "[DONE]" {
				pieces = append(pieces, data)
			}
		}
	} else {
		pieces = append(pieces, raw)
	}
	for _, piece := range pieces {
		var got struct {
			Choices []struct{ Message, Delta struct{ Content string } }
			Error   struct{ Code, Message string }
		}
		if err := json.Unmarshal(piece, &got); err != nil {
			t.Errorf("request %d: %v in %s", i, err, piece)
		}
		for _, c := range got.Choices {
			content += c.Message.Content + c.Delta.Content
		}
		if got.Error.Code != "" {
			return http.StatusInternalServerError, "", got.Error.Code + ": " + got.Error.Message
		}
	}
	return resp.StatusCode, content, ""
}

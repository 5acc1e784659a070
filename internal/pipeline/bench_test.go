package pipeline

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/value"
)

// canned answers every call at once, without a network.
type canned struct{ body []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: r,
	}, nil
}

const orderSchema = `{"type":"object","properties":{"number":{"type":"string","pattern":"^O-[0-9]+$"},"placed":{"type":"string","format":"date"},"lines":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string","maxLength":40},"quantity":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0}},"required":["sku","quantity","price"],"additionalProperties":false}}},"required":["number","placed","lines"],"additionalProperties":false}`

func orderAnswer() string {
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf(`{"sku":"SKU-%04d","quantity":%d,"price":%d.25}`, i, i+1, i*3))
	}
	return `{"number":"O-17","placed":"2025-01-15","lines":[` + strings.Join(lines, ",") + `]}`
}

func benchHarness(tb testing.TB) *harness {
	tb.Helper()
	var b bytes.Buffer
	b.WriteString(`{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":`)
	b.Write(value.AppendQuoted(nil, orderAnswer()))
	b.WriteString(`},"finish_reason":"stop"}],"usage":{"prompt_tokens":300,"completion_tokens":400,"total_tokens":700}}`)
	return setup(tb, rig{transport: canned{b.Bytes()}, account: func(a *provider.Account) { a.MaxConcurrency = 256 }})
}

func orderRequest(i int) string {
	return `{"prompt":"Order O-17 of 2025-01-15, ` + strconv.Itoa(i) + ` times","schema":` + orderSchema + `}`
}

// uncached runs one request whose prompt nobody sent before, as the API does: from the body's bytes to the answer's.
func (h *harness) uncached(tb testing.TB, i int) {
	a, err := h.askAs(tb.Context(), tb, h.who, orderRequest(i))
	if err != nil {
		tb.Fatal(err)
	}
	if a.Cached || len(a.Append(nil)) == 0 {
		tb.Fatal("it came from the cache")
	}
}

func (h *harness) hit(tb testing.TB) {
	a, err := h.askAs(tb.Context(), tb, h.who, orderRequest(0))
	if err != nil {
		tb.Fatal(err)
	}
	if len(a.Append(nil)) == 0 {
		tb.Fatal("no answer")
	}
}

func BenchmarkUncached(b *testing.B) {
	h := benchHarness(b)
	h.uncached(b, -1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.uncached(b, i)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	h := benchHarness(b)
	h.hit(b)
	b.ReportAllocs()
	for b.Loop() {
		h.hit(b)
	}
}

// TestTheRequestPathKeepsItsBudget bounds allocations: those of decoding, one each for what is kept, and none for judging.
func TestTheRequestPathKeepsItsBudget(t *testing.T) {
	h := benchHarness(t)
	h.hit(t)
	h.uncached(t, -1)
	i := 0
	const mostUncached, mostHit = 280, 150
	if n := testing.AllocsPerRun(200, func() { i++; h.uncached(t, i) }); n > mostUncached {
		t.Errorf("an uncached request makes %.0f allocations, want at most %d", n, mostUncached)
	}
	if n := testing.AllocsPerRun(200, func() { h.hit(t) }); n > mostHit {
		t.Errorf("a hit makes %.0f allocations, want at most %d", n, mostHit)
	}
}

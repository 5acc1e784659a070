package ledger_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/dialect/ollama"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/catalogue"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/sharedtest"
)

// row is an answer, its price, and what the ledger says of it.
type row struct {
	name, dialect, source, part, price string
	tokens, nano, billed               string
}

// table reads lines of cells, comments left out.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

func rows(t *testing.T) []row {
	t.Helper()
	asked, computed := table(t, "rows.tsv"), table(t, "ledger.tsv")
	if len(asked) != len(computed) {
		t.Fatalf("%d rows, and %d in the ledger: run testdata/ledger.py", len(asked), len(computed))
	}
	list := make([]row, len(asked))
	for i, a := range asked {
		c := computed[i]
		if len(a) != 6 || len(c) != 4 || a[0] != c[0] {
			t.Fatalf("row %q and the ledger's %q do not fit: run testdata/ledger.py", a, c)
		}
		list[i] = row{name: a[0], dialect: a[1], source: a[2], part: a[3], price: a[4], tokens: c[1], nano: c[2], billed: c[3]}
	}
	return list
}

// TestLedgerIsEqualToTheNanoDollar makes every call of the ledger and compares what it cost.
func TestLedgerIsEqualToTheNanoDollar(t *testing.T) {
	t.Parallel()
	fixtures := map[string]*dialecttest.Fixture{}
	for _, r := range rows(t) {
		folder := path.Dir(strings.TrimPrefix(r.source, "fixtures/"))
		if _, read := fixtures[folder]; !read && strings.HasPrefix(r.source, "fixtures/") {
			fixtures[folder] = nil
			list := dialecttest.Fixtures(t, folder)
			for i := range list {
				fixtures[list[i].File] = &list[i]
			}
		}
	}
	perDialect, unknown := map[string]int{}, 0
	for _, r := range rows(t) {
		perDialect[r.dialect]++
		if r.nano == "unknown" {
			unknown++
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var a answer
			if file, recorded := strings.CutPrefix(r.source, "fixtures/"); recorded {
				f := fixtures[file]
				if f == nil {
					t.Fatalf("there is no fixture %s", file)
				}
				a = r.recorded(t, f)
			} else {
				a = r.constructed(t)
			}
			usage, cost := r.call(t, a)
			if got := said(usage); got != r.tokens {
				t.Errorf("the tokens are %s, the ledger has %s", got, r.tokens)
			}
			if got := amount(cost); got != r.nano {
				t.Errorf("it costs %s nano-dollars, the ledger has %s", got, r.nano)
			}
			if r.billed != "-" && r.billed != r.nano {
				t.Errorf("the ledger has %s nano-dollars, the service billed %s", r.nano, r.billed)
			}
		})
	}
	if len(perDialect) != len(dialects()) {
		t.Errorf("the ledger has rows of %d dialects, there are %d", len(perDialect), len(dialects()))
	}
	t.Logf("%d rows, %d of them unknown: %v", len(rows(t)), unknown, perDialect)
}

// TestLedgerIsWhatTheScriptComputes runs the script again.
func TestLedgerIsWhatTheScriptComputes(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3")
	}
	root := filepath.Dir(sharedtest.Dir(t, "fixtures"))
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "ledger.py"), root).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "ledger.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, want) {
		t.Error("testdata/ledger.tsv is stale: run python3 testdata/ledger.py $PROMPTD_SHARED > testdata/ledger.tsv")
	}
}

// dialects are all that there are, by the names of the rows.
func dialects() map[string]dialect.Dialect {
	m := map[string]dialect.Dialect{}
	for _, d := range []dialect.Dialect{openai.New(), responses.New(), anthropic.New(), gemini.New(), bedrock.New(), llamacpp.New(), ollama.New()} {
		m[d.Name()] = d
	}
	return m
}

// answer is what the service sends.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	streamed bool
}

// call makes the call and gives what the attempt says of it.
func (r *row) call(t *testing.T, a answer) (dialect.Usage, provider.Cost) {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) //nolint:errcheck // The caller sees it.
	}))
	defer service.Close()
	model := provider.Model{Name: "m", Price: provider.ListPrice(readPrice(t, r.price))}
	p, err := provider.New(provider.Account{
		Name: "service", Dialect: dialects()[r.dialect], BaseURL: service.URL, Models: []provider.Model{model},
	}, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	var sink func(string) error
	if a.streamed {
		sink = func(string) error { return nil }
	}
	asked := dialect.Call{
		Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "hello"}}}}, Output: dialect.Output{Mode: lowering.Prompt}, MaxTokens: 9,
	}
	_, attempt, _ := p.Call(t.Context(), &p.Models()[0], asked, sink) //nolint:errcheck // A failed attempt costs too.
	return attempt.Usage, attempt.Cost
}

// said writes tokens as the ledger does.
func said(u dialect.Usage) string {
	if !u.Known {
		return "-"
	}
	return fmt.Sprintf("%d+%d+%d(%d)/%d(%d)", u.Input-u.CachedInput-u.CacheWrite, u.CachedInput, u.CacheWrite, u.LongCacheWrite, u.Output, u.Reasoning)
}

func amount(c provider.Cost) string {
	if !c.Known {
		return "unknown"
	}
	return strconv.FormatInt(c.Nano, 10)
}

// recorded is the answer of a fixture, or the first events of it.
func (r *row) recorded(t *testing.T, f *dialecttest.Fixture) answer {
	t.Helper()
	a := answer{status: f.Status, header: http.Header{"Content-Type": {"application/json"}}, body: f.Body, streamed: f.Streamed()}
	if a.streamed {
		a.header.Set("Content-Type", "text/event-stream")
	}
	n, cut := strings.CutPrefix(r.part, "events:")
	events, err := strconv.Atoi(n)
	if cut && err != nil {
		t.Fatal(err)
	}
	frame := map[string]func([][]byte) []byte{"anthropic": dialecttest.MessageStream, "bedrock": dialecttest.ConverseStream}[r.dialect]
	if frame == nil {
		frame = dialecttest.EventStream
	}
	switch {
	case !cut && f.Form == "chunks":
		a.body = frame(f.Payloads)
	case cut && r.dialect == "bedrock":
		a.body = frame(f.Payloads[:events])
	case cut:
		a.body = firstEvents(t, f.Body, events)
	}
	return a
}

// firstEvents cuts a stream behind so many events with data.
func firstEvents(t *testing.T, body []byte, n int) []byte {
	t.Helper()
	at := 0
	for line := range bytes.Lines(body) {
		if bytes.HasPrefix(line, []byte("data:")) {
			n--
		}
		at += len(line)
		if n == 0 && len(bytes.TrimSpace(line)) == 0 {
			return body[:at]
		}
	}
	t.Fatal("the stream is shorter than its part")
	return nil
}

// constructed reads an answer beside this test: its status, headers, an empty line and the body.
func (r *row) constructed(t *testing.T) answer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", r.source))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	status, kind, _ := bytes.Cut(head, []byte("\nContent-Type: "))
	a := answer{header: http.Header{"Content-Type": {string(kind)}}, body: body, streamed: string(kind) != "application/json"}
	if a.status, err = strconv.Atoi(string(status)); err != nil {
		t.Fatal(err)
	}
	if n, cut := strings.CutPrefix(r.part, "events:"); cut {
		lines, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		a.body = bytes.Join(bytes.SplitAfter(body, []byte("\n"))[:lines], nil)
	}
	return a
}

// readPrice reads the words of a price; "-" is none.
func readPrice(t *testing.T, words string) *catalogue.Price {
	t.Helper()
	if words == "-" {
		return nil
	}
	p := &catalogue.Price{}
	for _, word := range strings.Fields(words) {
		if bound, ok := strings.CutPrefix(word, ">"); ok {
			n, err := strconv.ParseInt(bound, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			p.Above = append(p.Above, catalogue.Step{Tokens: n})
			continue
		}
		usd, err := catalogue.ParseUSD(word[1:])
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Above) > 0 {
			s := &p.Above[len(p.Above)-1]
			*map[byte]**catalogue.USD{
				'i': &s.Input, 'c': &s.CachedInput, 'w': &s.CacheWrite, 'l': &s.LongCacheWrite, 'o': &s.Output, 'r': &s.Reasoning,
			}[word[0]] = &usd
			continue
		}
		switch word[0] {
		case 'i':
			p.Input = usd
		case 'o':
			p.Output = usd
		default:
			*map[byte]**catalogue.USD{'c': &p.CachedInput, 'w': &p.CacheWrite, 'l': &p.LongCacheWrite, 'r': &p.Reasoning}[word[0]] = &usd
		}
	}
	return p
}

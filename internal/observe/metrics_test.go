package observe

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the reference page")

const page = "../../docs/reference/metrics.md"

func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	got := NewMetrics(Build{}).Reference()
	if *update {
		if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale, write it with -update (-page +declarations):\n%s", page, diff)
	}
}

func TestEveryMetricOfTheSpecificationIsDeclared(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	for _, d := range NewMetrics(Build{}).Declarations() {
		if declared[d.Name] {
			t.Errorf("%s is declared twice", d.Name)
		}
		declared[d.Name] = true
		if d.Help == "" || !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: its text %q is no sentence", d.Name, d.Help)
		}
	}
	for _, name := range []string{
		"api_requests_total", "api_request_duration_seconds", "llm_requests_total", "llm_request_duration_seconds", "llm_tokens_total", "llm_cost_usd_total",
		"cache_operations_total", "cache_hit_ratio", "validation_results_total", "db_query_duration_seconds", "active_requests",
	} {
		if !declared[name] {
			t.Errorf("%s is not declared", name)
		}
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("the metrics answer %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestWhatIsCountedIsScraped(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{Version: "1.2.3", Revision: "abc"})
	m.Arrived()
	m.Arrived()
	m.Left("POST", "/v1/analyze", 200, 3*time.Millisecond)
	m.Arrived()
	m.Left("BREW", "", 404, time.Millisecond)
	gpt := m.Model("openai", "gpt-4.1-mini")
	gpt.Begin()
	gpt.Begin()
	gpt.End("ok", time.Second, 100*time.Millisecond)
	gpt.Tokens(1000, 400, 50)
	gpt.Cost(480_000)
	m.Cache("hit")
	m.Cache("miss")
	m.Cache("miss")
	m.Cache("hit")
	m.Judged("passed")
	m.Repaired("trailing_comma")
	m.Coerced("number")
	m.Reasked()
	m.Refused("requests")
	m.Reloaded("ok")
	m.HistoryLost(2)
	m.Step("normalise").Observe(20 * time.Microsecond)
	m.Query("key_by_hash", time.Millisecond, nil)
	m.Query("key_by_hash", time.Millisecond, errors.New("locked"))
	m.WatchCache(func() float64 { return 3 }, func() float64 { return 4096 })
	m.WatchHistory(func() float64 { return 5 }, func() float64 { return 70 })
	body := scrape(t, m)
	for _, line := range []string{
		"active_requests 1",
		`api_requests_total{method="POST",route="/v1/analyze",status="200"} 1`,
		`api_requests_total{method="other",route="unmatched",status="404"} 1`,
		`api_request_duration_seconds_bucket{method="POST",route="/v1/analyze",le="0.005"} 1`,
		`api_request_duration_seconds_bucket{method="POST",route="/v1/analyze",le="0.0025"} 0`,
		`llm_requests_total{model="gpt-4.1-mini",outcome="ok",provider="openai"} 1`,
		`llm_request_duration_seconds_count{model="gpt-4.1-mini",provider="openai"} 1`,
		`llm_first_token_seconds_count{model="gpt-4.1-mini",provider="openai"} 1`,
		`llm_active_requests{model="gpt-4.1-mini",provider="openai"} 1`,
		`llm_tokens_total{kind="input",model="gpt-4.1-mini",provider="openai"} 1000`,
		`llm_tokens_total{kind="cached_input",model="gpt-4.1-mini",provider="openai"} 400`,
		`llm_tokens_total{kind="output",model="gpt-4.1-mini",provider="openai"} 50`,
		`llm_cost_usd_total{model="gpt-4.1-mini",provider="openai"} 0.00048`,
		`cache_operations_total{operation="hit"} 2`,
		`cache_operations_total{operation="miss"} 2`,
		"cache_hit_ratio 0.5",
		"cache_entries 3",
		"cache_bytes 4096",
		`validation_results_total{result="passed"} 1`,
		`validation_repairs_total{kind="trailing_comma"} 1`,
		`validation_coercions_total{kind="number"} 1`,
		"validation_reasks_total 1",
		`rate_limit_refusals_total{limit="requests"} 1`,
		`config_reloads_total{result="ok"} 1`,
		"history_records_lost_total 2",
		"history_queue_records 5",
		"history_records_total 70",
		`pipeline_step_duration_seconds_count{step="normalise"} 1`,
		`db_query_duration_seconds_count{statement="key_by_hash"} 2`,
		`db_query_faults_total{statement="key_by_hash"} 1`,
		"log_lines_lost_total 0",
		`promptd_build_info{`,
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestLabelSetsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	for i := range tableBound + 100 {
		m.Left("GET", fmt.Sprintf("/%d", i), 200, 0)
		m.Model("p", fmt.Sprint(i)).End("ok", 0, 0)
		m.Query(fmt.Sprint(i), 0, nil)
	}
	body := scrape(t, m)
	for _, prefix := range []string{"api_requests_total{", "llm_requests_total{", "db_query_duration_seconds_count{"} {
		if n := strings.Count(body, "\n"+prefix); n > tableBound+1 {
			t.Errorf("%s has %d label sets, want at most %d", prefix, n, tableBound+1)
		}
	}
	if !strings.Contains(body, `llm_requests_total{model="other",outcome="ok",provider="other"} 100`) {
		t.Error("what came after the bound is not counted under other")
	}
}

func TestTwoSetsOfMetricsLiveInOneProcess(t *testing.T) {
	t.Parallel()
	a, b := NewMetrics(Build{}), NewMetrics(Build{})
	a.Reasked()
	if !strings.Contains(scrape(t, b), "validation_reasks_total 0") {
		t.Error("one set of metrics shows in the other: they share a registry")
	}
}

func TestMetricsTakeCountsFromManyGoroutines(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				m.Arrived()
				m.Left("GET", fmt.Sprintf("/%d", i%7), 200+g%2, time.Microsecond)
				m.Cache([]string{"hit", "miss"}[i%2])
				m.Step("a").Observe(1)
			}
		})
	}
	wg.Wait()
	body := scrape(t, m)
	for _, line := range []string{"active_requests 0\n", "cache_hit_ratio 0.5\n", `pipeline_step_duration_seconds_count{step="a"} 4000`} {
		if !strings.Contains(body, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	m := NewMetrics(Build{})
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Arrived()
			m.Left("POST", "/v1/analyze", 200, time.Millisecond)
		}
	})
	step := m.Step("validate")
	b.Run("step", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			step.Observe(time.Microsecond)
		}
	})
	model := m.Model("openai", "gpt")
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			model.Begin()
			model.End("ok", time.Second, time.Millisecond)
			model.Tokens(1, 0, 1)
			model.Cost(1)
		}
	})
}

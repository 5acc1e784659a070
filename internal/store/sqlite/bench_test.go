package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// benchRecord makes a record of the usual size: one attempt, a clean report, and the texts if they are wanted.
func benchRecord(n int, texts bool) usage.Record {
	r := usage.Record{
		RequestID: fmt.Sprintf("019ac6f2-%04x-7%03x-8a5b-%012x", n>>12&0xffff, n&0xfff, n), Team: "acme", Key: "key_019ac6f2000070008000000000000001",
		Time: time.Unix(1_790_000_000, int64(n)*1_000_000), Status: 200, ValidationStatus: "passed", Provider: "scripted", Model: "scripted-1",
		Schema: "", SchemaHash: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", DialectMode: "strict", Language: "en",
		Tokens: usage.Tokens{Input: 120, Output: 60}, Cost: usage.Costs(123_000), Processing: 1243 * time.Microsecond, Overhead: 400 * time.Microsecond,
		Attempts: []byte(`[{"n":1,"provider":"scripted","model":"scripted-1","mode":"strict","outcome":"ok","status":200,"started_at":"2026-11-24T04:30:00.123456Z",` +
			`"queue_ms":0,"first_token_ms":0.3,"total_ms":0.4,"input_tokens":120,"output_tokens":60,"cost_usd":0.000123}]`),
		Validation: []byte(`{"errors":[],"repairs":[],"coercions":[],"reasks":0,"schema":"invoice@3","dialect_mode":"strict"}`),
	}
	if texts {
		r.Prompt = "Invoice #12345, 2025-01-15, $1,250.00 for consulting services in December, payable within thirty days to Acme GmbH, Berlin."
		r.Answer = `{"number":"12345","date":"2025-01-15","total":1250.00,"currency":"USD","supplier":"Acme GmbH","lines":[{"text":"consulting","amount":1250.00}]}`
	}
	return r
}

// cpu gives the processor time of this process.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatalf("read the processor time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHistory measures a record from Add to the file, all processor time of the process counted.
func BenchmarkHistory(b *testing.B) {
	for _, texts := range []bool{false, true} {
		b.Run(fmt.Sprintf("texts=%t", texts), func(b *testing.B) {
			db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			log := usage.NewLog(db.History(), usage.LogConfig{StorePrompts: texts, OnError: func(err error) { b.Error(err) }})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- log.Run(ctx) }()
			records := make([]usage.Record, b.N)
			for i := range records {
				records[i] = benchRecord(i, texts)
			}
			b.ReportAllocs()
			b.ResetTimer()
			began := cpu(b)
			for i := range records {
				if err := log.Add(ctx, records[i]); err != nil {
					b.Fatal(err)
				}
			}
			if err := log.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkStall measures what others feel while records are written: a goroutine asks for the processor every 100 µs and notes
// how much later it got it. Run it with -cpu 1.
func BenchmarkStall(b *testing.B) {
	for _, writing := range []bool{false, true} {
		b.Run(fmt.Sprintf("writing=%t", writing), func(b *testing.B) {
			db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			log := usage.NewLog(db.History(), usage.LogConfig{StorePrompts: true, OnError: func(err error) { b.Error(err) }})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- log.Run(ctx) }()
			late := make([]time.Duration, 0, b.N)
			tick := time.NewTicker(time.Millisecond)
			for i := range b.N {
				at := <-tick.C
				late = append(late, time.Since(at))
				if writing {
					if err := log.Add(ctx, benchRecord(i, true)); err != nil {
						b.Fatal(err)
					}
				}
			}
			tick.Stop()
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
			slices.Sort(late)
			for _, p := range []float64{0.5, 0.99, 0.999} {
				b.ReportMetric(float64(late[int(p*float64(len(late)-1))].Microseconds()), fmt.Sprintf("p%g-us", p*100))
			}
			b.ReportMetric(float64(late[len(late)-1].Microseconds()), "max-us")
		})
	}
}

// BenchmarkVerify measures the check of a bearer token, which must not allocate.
func BenchmarkVerify(b *testing.B) {
	db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	_, secret, err := (&key.Issuer{Store: db.Keys()}).Create(b.Context(), key.Key{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := key.NewVerifier(b.Context(), db.Keys(), key.VerifierConfig{})
	if err != nil {
		b.Fatal(err)
	}
	token := secret.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

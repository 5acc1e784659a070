//go:build unix

package rabbitmq_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
)

// The benchmarks measure promptd's side of the server at hand: make it a quiet one. cpu-us/msg is the time of this process, user and system.

func benched(b *testing.B) *rabbitmq.Broker {
	b.Helper()
	url := os.Getenv("TEST_AMQP_URL")
	if url == "" {
		b.Skip("SKIPPED: set TEST_AMQP_URL to the URL of a RabbitMQ")
	}
	name := "bench-" + strings.ToLower(rand.Text()[:12])
	mq, err := rabbitmq.New(rabbitmq.Config{URL: url, Prefix: name, Room: 10_000_000, OnError: func(err error) { b.Log(err) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mq.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-ended
		conn, err := amqp.Dial(url)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		ch, err := conn.Channel()
		if err != nil {
			b.Fatal(err)
		}
		for _, q := range []string{".jobs.high", ".jobs.normal", ".jobs.low", ".deliveries", ".dead"} {
			if _, err := ch.QueueDelete(name+q, false, false, false); err != nil {
				b.Error(err)
			}
		}
		_ = ch.ExchangeDelete(name+".dead", false, false)
	})
	for mq.Ready(b.Context()) != nil {
		if b.Context().Err() != nil {
			b.Fatal("not ready")
		}
	}
	return mq
}

// cpu gives the time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// bench64 makes ids of the length that items of jobs have.
func bench64(n int) []broker.Message {
	m := make([]broker.Message, n)
	for i := range m {
		m[i] = broker.Message{Queue: broker.Normal, ID: fmt.Sprintf("0193f1c2-7a3e-7c31-9d5a-2f8b1c6e4a70/%05d", i)}
	}
	return m
}

func BenchmarkPublish(b *testing.B) {
	for _, batch := range []int{1, 100, 1024} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			mq, m := benched(b), bench64(batch)
			if err := mq.Publish(b.Context(), m...); err != nil {
				b.Fatal(err)
			}
			began := cpu(b)
			n := 0
			for b.Loop() {
				if err := mq.Publish(b.Context(), m...); err != nil {
					b.Fatal(err)
				}
				n += batch
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(n)/1e3, "cpu-us/msg")
		})
	}
}

func BenchmarkConsume(b *testing.B) {
	mq, m := benched(b), bench64(1000)
	var left atomic.Int64
	left.Store(int64(b.N))
	for n := b.N; n > 0; n -= len(m) {
		if err := mq.Publish(b.Context(), m[:min(n, len(m))]...); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	began := cpu(b)
	b.ResetTimer()
	err := mq.Consume(ctx, broker.Jobs(), 256, func(context.Context, broker.Message) error {
		if left.Add(-1) == 0 {
			cancel()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(b.N)/1e3, "cpu-us/msg")
}

// BenchmarkWake measures from the announcement to the handler, one message at a time.
func BenchmarkWake(b *testing.B) {
	mq := benched(b)
	came := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- mq.Consume(ctx, broker.Jobs(), 8, func(context.Context, broker.Message) error {
			came <- time.Now()
			return nil
		})
	}()
	relay := broker.NewRelay(mq, broker.RelayConfig{})
	go func() { ended <- relay.Run(ctx) }()
	defer func() { cancel(); <-ended; <-ended }()
	var took []time.Duration
	m := bench64(1)
	relay.Announce(m...)
	<-came
	for b.Loop() {
		began := time.Now()
		relay.Announce(m...)
		took = append(took, (<-came).Sub(began))
	}
	slices.Sort(took)
	for name, share := range map[string]float64{"p50-us": 0.5, "p99-us": 0.99} {
		b.ReportMetric(float64(took[int(share*float64(len(took)-1))].Nanoseconds())/1e3, name)
	}
}

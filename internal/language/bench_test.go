package language

import (
	"strings"
	"testing"
	"time"
)

// longTexts gives texts of more than the sampled letters, by what makes them dear.
func longTexts() map[string]string {
	return map[string]string{
		"ascii":    strings.Repeat("Please extract the name, the address and the order number from the message below. ", 40),
		"accents":  strings.Repeat("Prosím, vyberte z následující zprávy jméno, adresu a číslo objednávky. ", 40),
		"cyrillic": strings.Repeat("Пожалуйста, извлеките имя, адрес и номер заказа из сообщения ниже. ", 40),
		"chinese":  strings.Repeat("请从下面的消息中提取姓名、地址和订单号。", 40),
		"code":     strings.Repeat("x1_y2=f(z3); ", 400),
	}
}

func BenchmarkDetect(b *testing.B) {
	d := newDetector(b)
	for name, text := range longTexts() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Detect(text)
			}
		})
	}
}

// BenchmarkLabelledSentences is the mean over real sentences.
func BenchmarkLabelledSentences(b *testing.B) {
	d := newDetector(b)
	texts := readLabelled(b, "cases.jsonl")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Detect(texts[i%len(texts)].Text)
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDetectDoesNotAllocate counts allocations of the whole process, so it runs alone.
//
//nolint:paralleltest // see above
func TestDetectDoesNotAllocate(t *testing.T) {
	d := newDetector(t)
	for name, text := range longTexts() {
		if n := testing.AllocsPerRun(50, func() { d.Detect(text) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// TestDetectIsFast takes the best of many runs, which a busy machine hardly disturbs.
//
//nolint:paralleltest // it measures time
func TestDetectIsFast(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("SKIPPED: the race detector and coverage slow everything down")
	}
	const bound = 100 * time.Microsecond
	d := newDetector(t)
	for name, text := range longTexts() {
		best := time.Hour
		for n := 0; n < 2000 || n < 40_000 && best > bound; n++ { // On a busy machine a quiet moment is waited for.
			start := time.Now()
			d.Detect(text)
			best = min(best, time.Since(start))
		}
		t.Logf("%s: %v", name, best)
		if best > bound {
			t.Errorf("%s: %v for a long text, want at most %v", name, best, bound)
		}
	}
}

package provider

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Quantiles are what is typical of late; 0 where nothing is known.
type Quantiles struct{ P50, P95 time.Duration }

// The sketch's figures. Neighbouring bounds differ by a tenth, so that a quantile is at most 5 % off; they reach from 1 ms to over 10 minutes, beyond which no
// attempt lasts.
const (
	sketchRatio  = 1.1
	sketchLowest = time.Millisecond
	sketchBins   = 142
	// halfLife is the time after which an observation counts half: a brown-out shows in the 95th percentile at once and is forgotten five half-lives after its end.
	halfLife = time.Minute
)

// sketch is a distribution of durations that forgets: a histogram with logarithmic bins in which later observations weigh more (forward decay, Cormode and others
// 2009), so that nothing has to be touched as time goes by. Quantiles are made when an observation comes in, and read without a lock.
type sketch struct {
	p50, p95 atomic.Int64

	mu sync.Mutex

	bins  [sketchBins]float64
	sum   float64
	since int64 // the time at which an observation weighs 1
}

// observe adds a duration.
func (s *sketch) observe(now int64, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Weights double with each half-life; long before they could overflow all are scaled down.
	const most = 40
	age := float64(now-s.since) / float64(halfLife)
	if age > most {
		scale := math.Exp2(-age)
		s.sum = 0
		for i := range s.bins {
			s.bins[i] *= scale
			s.sum += s.bins[i]
		}
		s.since, age = now, 0
	}
	w := math.Exp2(age)
	s.bins[bin(d)] += w
	s.sum += w
	s.p50.Store(int64(s.quantile(0.50)))
	s.p95.Store(int64(s.quantile(0.95)))
}

func bin(d time.Duration) int {
	if d <= sketchLowest {
		return 0
	}
	return min(sketchBins-1, int(math.Ceil(math.Log(float64(d)/float64(sketchLowest))/math.Log(sketchRatio))))
}

// quantile gives the middle of the bin in which the quantile lies. The mutex is held.
func (s *sketch) quantile(q float64) time.Duration {
	rank, seen := q*s.sum, 0.0
	for i, w := range s.bins {
		if seen += w; seen >= rank && w > 0 {
			return time.Duration(float64(sketchLowest) * math.Pow(sketchRatio, float64(i)-0.5))
		}
	}
	return 0
}

// quantiles gives what is typical.
func (s *sketch) quantiles() Quantiles {
	return Quantiles{time.Duration(s.p50.Load()), time.Duration(s.p95.Load())}
}

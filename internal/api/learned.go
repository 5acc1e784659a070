package api

import (
	"math"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/router"
)

// Lesson is what the team's requests have taught of one schema at a model. Older attempts weigh less.
type Lesson struct {
	Schema    string     `json:"schema" doc:"As answers call it."`
	Attempts  int64      `json:"attempts" doc:"Attempts that said something of the model, in all."`
	PassRate  float64    `json:"pass_rate" minimum:"0" maximum:"1" doc:"Share of attempts whose answer satisfied the schema."`
	ReaskRate float64    `json:"reask_rate" minimum:"0" maximum:"1" doc:"Share of attempts that showed the model its own faults."`
	CostUSD   *key.Nanos `json:"cost_usd" doc:"What an attempt costs on average, null where it is not known."`
	LatencyMS float64    `json:"latency_ms" doc:"What an attempt takes on average."`
	UpdatedAt time.Time  `json:"updated_at"`
}

// mostLessons bounds what is shown of a model; the newest are shown.
const mostLessons = 20

func (s *Server) lessons(team key.TeamID, providerName, model string) []Lesson {
	out := []Lesson{}
	for _, l := range s.deps.Learned.Lessons(team, providerName, model, mostLessons, time.Now()) {
		out = append(out, describeLesson(&l))
	}
	return out
}

func describeLesson(l *router.Lesson) Lesson {
	const decimals = 10_000
	share := func(f float64) float64 { return math.Round(f*decimals) / decimals }
	one := Lesson{
		Schema: l.Schema, Attempts: l.Attempts, PassRate: share(l.PassRate()), ReaskRate: share(l.ReaskRate()),
		LatencyMS: float64(l.Latency().Microseconds()) / 1000, UpdatedAt: l.Updated.UTC().Truncate(time.Millisecond),
	}
	if c := l.Cost(); c.Known {
		nanos := key.Nanos(c.Nano)
		one.CostUSD = &nanos
	}
	return one
}

package api

import (
	"net/http"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
)

// Dropped is the answer of DELETE /v1/cache.
type Dropped struct {
	Dropped int `json:"dropped" doc:"How many answers were taken out."`
}

// CacheStats is the answer of GET /v1/cache/stats. Counts are the team's own; the bytes bound is the whole cache's.
type CacheStats struct {
	cache.Stats
	HitRatio *float64 `json:"hit_ratio" doc:"Hits by lookups, null before the first lookup."`
}

// dropCache is DELETE /v1/cache: one of schema, template, key or all.
func (s *Server) dropCache(c *call) error {
	q := c.query()
	team := string(c.caller.Team)
	var tags []cache.Tag
	for _, name := range []string{"schema", "template", "key"} {
		text, given := q.text(name)
		if !given {
			continue
		}
		tag, err := cache.ParseTag(team, name, text)
		if err != nil {
			return err
		}
		tags = append(tags, tag)
	}
	if q.flag("all") {
		tags = append(tags, cache.AllTag(team))
	}
	if err := q.done(); err != nil {
		return err
	}
	if len(tags) != 1 {
		return fault.Invalid("", "exclusive", "exactly one of schema, template, key or all=true says what to drop", "For example DELETE /v1/cache?all=true.")
	}
	n, err := s.deps.Cache.Drop(c.r.Context(), tags...)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Dropped{n})
}

// cacheStats is GET /v1/cache/stats.
func (s *Server) cacheStats(c *call) error {
	if err := c.query().done(); err != nil {
		return err
	}
	stats, err := s.deps.Cache.Stats(c.r.Context(), string(c.caller.Team))
	if err != nil {
		return err
	}
	answer := CacheStats{Stats: stats}
	if ratio, known := stats.HitRatio(); known {
		answer.HitRatio = &ratio
	}
	return c.json(http.StatusOK, answer)
}

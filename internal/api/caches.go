package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
)

// Dropped is the answer of DELETE /v1/cache.
type Dropped struct {
	Dropped int `json:"dropped" doc:"How many answers were taken out. Where processes share answers through Redis it is a lower bound."`
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

func docDropCache() operation {
	one, most := 1, mostParameter
	reference := func(text string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Pattern: `^[^@\u0000-\u001f\u007f\ufffd]+(@[^@\u0000-\u001f\u007f\ufffd]+)?$`, MaxLength: &most, Description: text}
	}
	yes := true
	return operation{
		id: "dropCache", tag: "cache", summary: "Drop cached answers", text: "Of the caller's team, chosen by exactly one of schema, template, key or all=true.",
		query: []*huma.Param{{
			Name: "selection", In: "query", Required: true, Style: "form", Explode: &yes, Description: "Exactly one of these parameters: `?all=true`, `?key=…`, `?schema=name@version`, `?template=name`.",
			Schema: &huma.Schema{
				Type: huma.TypeObject, MinProperties: &one, MaxProperties: &one, AdditionalProperties: false,
				Properties: map[string]*huma.Schema{
					"schema": reference("Answers made with a registered schema: name or name@version."), "template": reference("Answers made with a template: name or name@version."),
					"key": {Type: huma.TypeString, Pattern: `^[0-9a-fA-F]{64}$`, Description: "One answer, by its cache_key."},
					"all": {Type: huma.TypeString, Enum: []any{"true"}, Description: "Every answer of the team."},
				},
			},
		}},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Dropped](), "How many answers were dropped.", example(`{"dropped": 3}`))},
	}
}

func docCacheStats() operation {
	return operation{
		id: "readCacheStats", tag: "cache", summary: "Count what the cache does", text: "Counts since the start of the process, those of the caller's team alone.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[CacheStats](), "The counts.", example(`{"hits": 41, "misses": 59, "stores": 57, "drops": 0, "evictions": 0,
			"expirations": 2, "entries": 55, "bytes": 81920, "max_bytes": 104857600, "hit_ratio": 0.41}`))},
	}
}

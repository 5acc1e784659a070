package api

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/usage"
)

// Schema is a registered name.
type Schema struct {
	Name          string      `json:"name"`
	Description   string      `json:"description"`
	Compatibility string      `json:"compatibility" enum:"backward,forward,full,none" doc:"What a new version owes to the one before where its publisher says nothing else."`
	Version       *int        `json:"version" doc:"The newest version that can be used; null where every version is withdrawn."`
	Hash          *string     `json:"hash" doc:"Its content hash."`
	Newest        int         `json:"newest_version" minimum:"1" doc:"The highest number that was given; none is given twice."`
	Owner         SchemaOwner `json:"owner"`
	CreatedAt     time.Time   `json:"created_at"`
	UpdatedAt     time.Time   `json:"updated_at"`
	WithdrawnAt   time.Time   `json:"withdrawn_at,omitzero" doc:"Left out where the name can be used."`
}

// SchemaOwner is who published something.
type SchemaOwner struct {
	Team key.TeamID `json:"team"`
	Key  key.ID     `json:"key" doc:"Empty where no keys are wanted."`
}

// Schemas is a page of names.
type Schemas struct {
	Data       []Schema `json:"data"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// SchemaWithText is a name with the schema of its newest version.
type SchemaWithText struct {
	Schema
	Text json.RawMessage `json:"schema" doc:"The newest version that can be used; null where there is none."`
}

// SchemaVersion is one immutable version.
type SchemaVersion struct {
	Name          string      `json:"name"`
	Version       int         `json:"version" minimum:"1"`
	Reference     string      `json:"reference" doc:"How requests name it: name@version."`
	Hash          string      `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"The content hash: SHA-256 over the canonical JSON, the draft included. It is the schema_hash of requests."`
	Compatibility string      `json:"compatibility" enum:"backward,forward,full,none" doc:"What it was held to when it was published."`
	Owner         SchemaOwner `json:"owner"`
	CreatedAt     time.Time   `json:"created_at"`
	WithdrawnAt   time.Time   `json:"withdrawn_at,omitzero" doc:"Left out where the version is not withdrawn."`
}

// SchemaVersions is a page of versions.
type SchemaVersions struct {
	Data       []SchemaVersion `json:"data"`
	NextCursor string          `json:"next_cursor,omitempty"`
}

// WholeVersion is a version with its schema and its fitness report.
type WholeVersion struct {
	SchemaVersion
	Text    json.RawMessage `json:"schema" doc:"The schema as it was published."`
	Fitness *SchemaFitness  `json:"fitness" doc:"How it suits each model; null where finding out takes longer than a second."`
}

// PublishedSchema is the answer of POST /v1/schemas.
type PublishedSchema struct {
	SchemaVersion
	Description string            `json:"description" doc:"The name's description."`
	Comparison  *SchemaComparison `json:"comparison" doc:"With the version before; null for a first version, and where nothing was published."`
	Lint        *SchemaLint       `json:"lint" doc:"What is worth knowing of the schema; null where finding out takes longer than a second."`
}

// SchemaLint is the short form of what POST /v1/schemas/check answers.
type SchemaLint struct {
	Advice     []SchemaAdvice             `json:"advice"`
	MoreAdvice int                        `json:"more_advice,omitempty"`
	Dialects   map[string]SchemaInDialect `json:"dialects" doc:"How models are held to the schema, by dialect."`
}

// SchemaInDialect is what a dialect makes of a schema, in short.
type SchemaInDialect struct {
	Mode        string `json:"mode" enum:"strict,tool,grammar,json,prompt"`
	Constraints int    `json:"constraints" minimum:"0"`
	Enforced    int    `json:"enforced" minimum:"0"`
}

// SchemaComparison is what a comparison found.
type SchemaComparison struct {
	Against    string          `json:"against" doc:"The version that the schema was compared with: name@version."`
	Mode       string          `json:"mode" enum:"backward,forward,full,none"`
	Compatible bool            `json:"compatible" doc:"Set where everything that the mode asks for is proven."`
	Findings   []SchemaFinding `json:"findings" doc:"The places that break it, or could not be proven."`
	More       int             `json:"more_findings,omitempty" doc:"How many findings were left out."`
}

// SchemaFinding is one place at which a schema is not compatible.
type SchemaFinding struct {
	Direction string `json:"direction" enum:"backward,forward"`
	Verdict   string `json:"verdict" enum:"breaking,undecided" doc:"breaking is proven by the witness; undecided is not proven either way and counts as breaking."`
	Instance  string `json:"instance" doc:"The place in values, as a JSON pointer in which * stands for any item or any further member."`
	Old       string `json:"old" doc:"The place in the version, as a JSON pointer."`
	New       string `json:"new" doc:"The place in the schema that was compared with it."`
	Keyword   string `json:"keyword"`
	Before    any    `json:"before" doc:"The keyword's value in the version; null where it has none."`
	After     any    `json:"after" doc:"The keyword's value in the schema; null where it has none."`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
	Witness   any    `json:"witness,omitempty" doc:"A value that one of both allows and the other refuses."`
}

// SchemaFitness is how a version suits each model.
type SchemaFitness struct {
	Reference string         `json:"reference"`
	Requests  int            `json:"requests" doc:"How many requests were looked at: the newest that asked a provider."`
	Limit     int            `json:"limit" doc:"How many are looked at at most."`
	Models    []ModelFitness `json:"models"`
}

// ModelFitness is a version's with one model.
type ModelFitness struct {
	Provider    string          `json:"provider"`
	Model       string          `json:"model"`
	Mode        *string         `json:"mode" doc:"How the model is held to the schema: strict, tool, grammar, json or prompt; null where it is no longer configured."`
	Constraints *int            `json:"constraints" doc:"How many keywords of the schema demand something of values."`
	Enforced    *int            `json:"enforced" doc:"How many of them the provider holds the model to. promptd judges all of them."`
	Residue     []SchemaResidue `json:"residue" doc:"What the provider does not enforce."`
	Results     *ModelResults   `json:"results" doc:"What came of requests; null where there was none."`
}

// ModelResults are what came of requests.
type ModelResults struct {
	Requests int        `json:"requests" doc:"Requests that asked the model."`
	Judged   int        `json:"judged" doc:"Those in which it gave an answer to judge: an outage says nothing about a schema."`
	Passed   int        `json:"passed" doc:"Those that its answer satisfied."`
	PassRate *float64   `json:"pass_rate" minimum:"0" maximum:"1" doc:"passed by judged; null where none was judged."`
	Attempts int        `json:"attempts" doc:"Calls to the model."`
	Reasks   int        `json:"reasks" doc:"Those that showed it its own invalid answer."`
	MeanCost usage.Cost `json:"mean_cost_usd" doc:"Of a request, in US dollars; null where the cost of one call is not known."`
	P50MS    *float64   `json:"latency_p50_ms" doc:"Of the calls that gave an answer."`
	P95MS    *float64   `json:"latency_p95_ms"`
	From     time.Time  `json:"from" doc:"The first of the requests."`
	To       time.Time  `json:"to" doc:"The last of the requests."`
}

func shownSchema(s *registry.Schema) Schema {
	out := Schema{
		Name: s.Name, Description: s.Description, Compatibility: string(s.Compatibility), Newest: s.Newest, Owner: SchemaOwner{s.Team, s.Owner},
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, WithdrawnAt: s.WithdrawnAt,
	}
	if s.Current != 0 {
		version, hash := s.Current, hex.EncodeToString(s.CurrentHash[:])
		out.Version, out.Hash = &version, &hash
	}
	return out
}

func shownVersion(v *registry.Version) SchemaVersion {
	return SchemaVersion{
		Name: v.Name, Version: v.Number, Reference: v.Ref(), Hash: v.HashText(), Compatibility: string(v.Compatibility), Owner: SchemaOwner{v.Team, v.Owner},
		CreatedAt: v.CreatedAt, WithdrawnAt: v.WithdrawnAt,
	}
}

func shownPublished(p *registry.Published, report *lint.Report) PublishedSchema {
	out := PublishedSchema{SchemaVersion: shownVersion(&p.Version), Description: p.Name.Description}
	if p.Comparison != nil {
		found := shownComparison(p.Comparison)
		out.Comparison = &found
	}
	if report != nil {
		out.Lint = &SchemaLint{Advice: make([]SchemaAdvice, 0, len(report.Advice)), MoreAdvice: report.More, Dialects: map[string]SchemaInDialect{}}
		for _, a := range report.Advice {
			out.Lint.Advice = append(out.Lint.Advice, SchemaAdvice(a))
		}
		for i := range report.Dialects {
			d := &report.Dialects[i]
			out.Lint.Dialects[d.Name] = SchemaInDialect{string(d.Mode), d.Constraints, d.Enforced}
		}
	}
	return out
}

func shownComparison(c *registry.Comparison) SchemaComparison {
	out := SchemaComparison{Against: c.Against.Ref(), Mode: string(c.Mode), Compatible: c.Compatible, Findings: make([]SchemaFinding, 0, len(c.Findings)), More: c.More}
	for i := range c.Findings {
		out.Findings = append(out.Findings, shownFinding(&c.Findings[i]))
	}
	return out
}

func shownFinding(f *compat.Finding) SchemaFinding {
	out := SchemaFinding{
		Direction: string(f.Direction), Verdict: string(f.Verdict), Instance: f.Instance, Old: f.Old, New: f.New, Keyword: f.Keyword,
		Before: f.Before, After: f.After, Message: f.Message, Hint: f.Hint,
	}
	if f.Witness != nil {
		out.Witness = *f.Witness
	}
	return out
}

func shownFitness(f *registry.Fitness) *SchemaFitness {
	out := &SchemaFitness{Reference: f.Version.Ref(), Requests: f.Requests, Limit: f.Limit, Models: make([]ModelFitness, 0, len(f.Models))}
	for i := range f.Models {
		m := &f.Models[i]
		one := ModelFitness{Provider: m.Provider, Model: m.Model, Residue: []SchemaResidue{}}
		if m.Form != nil {
			mode, constraints, enforced := string(m.Form.Mode), m.Form.Constraints, m.Form.Enforced
			one.Mode, one.Constraints, one.Enforced = &mode, &constraints, &enforced
			for _, r := range m.Form.Residue {
				one.Residue = append(one.Residue, SchemaResidue{r.Pointer, r.Keyword, r.Value})
			}
		}
		if m.Results != nil {
			one.Results = shownResults(m.Results)
		}
		out.Models = append(out.Models, one)
	}
	return out
}

func shownResults(r *registry.Results) *ModelResults {
	out := &ModelResults{
		Requests: r.Requests, Judged: r.Judged, Passed: r.Passed, Attempts: r.Attempts, Reasks: r.Reasks, MeanCost: r.MeanCost(), From: r.From, To: r.To,
	}
	if rate, known := r.PassRate(); known {
		out.PassRate = &rate
	}
	latency := func(share float64) *float64 {
		d, known := r.Latency(share)
		if !known {
			return nil
		}
		ms := milliseconds(d)
		return &ms
	}
	const half, most = 0.50, 0.95
	out.P50MS, out.P95MS = latency(half), latency(most)
	return out
}

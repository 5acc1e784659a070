// Package registry is the schema registry: schemas that have a name, immutable versions and an owner, and what a reference to one means.
//
// It is not for judging values or for fitting a schema to a provider (packages schema and lowering do that), and not for what names and versions are:
// package shelf keeps them, here and for templates.
//
// The main types are [Schema], a name with what is kept of it, [Version], one immutable schema under that name, and [Registry], which publishes, resolves,
// withdraws and restores. Everything belongs to a team: no method finds what another team has published.
//
// How it works: a registry is a shelf of schemas. [Registry.Publish] compiles a schema and compares it with the newest version that can be used, by the
// values that both allow; [Registry.Compare] does the same and keeps nothing. [Registry.Fitness] says how a version suits each model, by what its provider
// can be told of it and what came of requests.
package registry

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/shelf"
)

// Kind is what stands on the shelf.
const Kind shelf.Kind = "schema"

// What a shelf of schemas holds: [Schema] is a registered name, and a [Version]'s content is its schema.
type (
	Schema  = shelf.Name
	Version = shelf.Version
	Ref     = shelf.Ref
)

// Config is what a [Registry] needs; Store and Schemas are wanted.
type Config struct {
	Store shelf.Store
	// Schemas keeps compiled schemas; it is the one that requests use, so that a published schema is compiled once.
	Schemas *schema.Cache
	// Limits are those of a published schema; nil means the defaults.
	Limits func() schema.Limits
	// Patience bounds a comparison; 0 means [shelf.DefaultPatience].
	Patience time.Duration
	// Withdrawn is told of a reference (name or name@version) that can't be used any longer, so that answers made with it are dropped; nil where nobody is.
	Withdrawn func(ctx context.Context, team key.TeamID, ref string)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads of the store that went wrong in the background; nil means that nobody is.
	OnError func(error)
}

// Registry publishes and resolves schemas. It is safe for concurrent use; Run keeps it up to date with other processes.
type Registry struct {
	*versions

	schemas *schema.Cache
	limits  func() schema.Limits
}

// versions is the shelf; a version is used as it is, for the cache of compiled schemas finds a value that it has seen without reading it.
type versions = shelf.Shelf[Version]

// A schema in memory takes about overhead times its text, plus what stands around it.
const (
	overhead = 4
	around   = 512
)

// New makes a registry.
func New(cfg Config) *Registry {
	if cfg.Limits == nil {
		cfg.Limits = func() schema.Limits { return schema.Limits{} }
	}
	return &Registry{schemas: cfg.Schemas, limits: cfg.Limits, versions: shelf.New(shelf.Config[Version]{
		Kind: Kind, Store: cfg.Store, Make: func(v Version) (Version, error) { return v, nil }, Around: around, Overhead: overhead,
		Patience: cfg.Patience, Withdrawn: cfg.Withdrawn, Now: cfg.Now, OnError: cfg.OnError,
	})}
}

func (r *Registry) options() schema.Options { return schema.Options{Limits: r.limits()} }

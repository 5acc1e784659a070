package schema

import (
	"container/list"
	"context"
	"errors"
	"hash/maphash"
	"sync"

	"github.com/promptd/promptd/internal/value"
)

// DefaultCacheBytes is the cache's size where none is given.
const DefaultCacheBytes = 100 << 20

// Cache keeps compiled schemas, the least recently used out first. It is safe for concurrent use; a schema that several callers want at
// once is compiled once.
type Cache struct {
	max int

	seed maphash.Seed

	mu     sync.Mutex
	size   int
	recent *list.List // of *cached, the most recently used first
	byKey  map[cacheKey]*list.Element
	byRaw  map[rawKey]*list.Element
}

// cacheKey is a schema's fingerprint with every option that changes the verdict. It finds an entry; the schema itself proves it, for other schemas may have the
// same fingerprint.
type cacheKey struct {
	sum     uint64
	options cacheOptions
}

// rawKey finds the schema that an entry was made of without reading it.
type rawKey struct {
	id      value.Identity
	options cacheOptions
}

type cacheOptions struct {
	limits   Limits
	draft    Draft
	annotate bool
}

// cached is a schema that is compiled or being compiled; ready is closed behind that.
type cached struct {
	key    cacheKey
	raw    value.Value
	ready  chan struct{}
	schema *Schema
	err    error
	size   int
}

// NewCache makes a cache of that many bytes; 0 means the default.
func NewCache(bytes int) *Cache {
	if bytes <= 0 {
		bytes = DefaultCacheBytes
	}
	return &Cache{max: bytes, seed: maphash.MakeSeed(), recent: list.New(), byKey: map[cacheKey]*list.Element{}, byRaw: map[rawKey]*list.Element{}}
}

// Compile gives the compiled schema, from the cache where it is there. Faulty schemas are not kept. Schemas with remotes are compiled each
// time: what they judge depends on more than their text. Compiling and waiting end with ctx; the error is then its own.
func (c *Cache) Compile(ctx context.Context, raw value.Value, o Options) (*Schema, error) {
	if len(o.Remotes) > 0 {
		return compileUntil(ctx, raw, o)
	}
	var key cacheKey // The fingerprint is taken where the value alone does not find the entry.
	for {
		entry, mine := c.look(raw, o, &key)
		if mine {
			c.fill(ctx, entry, raw, o)
			return entry.schema, entry.err
		}
		if entry == nil {
			return compileUntil(ctx, raw, o)
		}
		select {
		case <-entry.ready:
		default:
			select {
			case <-entry.ready:
			case <-ctx.Done():
				return nil, stopped(ctx)
			}
		}
		// Another caller's context says nothing about this one's: then it is compiled again.
		if entry.err == nil || !isStopped(entry.err) {
			return entry.schema, entry.err
		}
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
	}
}

// look finds the entry of a schema, or makes the one that the caller is to fill. It gives none where another schema has the same fingerprint.
func (c *Cache) look(raw value.Value, o Options, key *cacheKey) (entry *cached, mine bool) {
	options := cacheOptions{o.Limits, o.Draft, o.AnnotateFormat}
	id, named := raw.Identity()
	if named {
		c.mu.Lock()
		e, ok := c.byRaw[rawKey{id, options}]
		if ok {
			c.recent.MoveToFront(e)
			c.mu.Unlock()
			return e.Value.(*cached), false //nolint:forcetypeassert // The list holds nothing else.
		}
		c.mu.Unlock()
	}
	if key.sum == 0 {
		*key = cacheKey{c.fingerprint(raw), options}
	}
	c.mu.Lock()
	e, ok := c.byKey[*key]
	if !ok {
		entry = &cached{key: *key, raw: raw, ready: make(chan struct{})}
		e = c.recent.PushFront(entry)
		c.byKey[*key] = e
		if named {
			c.byRaw[rawKey{id, options}] = e
		}
		c.mu.Unlock()
		return entry, true
	}
	c.recent.MoveToFront(e)
	c.mu.Unlock()
	entry = e.Value.(*cached) //nolint:forcetypeassert // The list holds nothing else.
	if !value.Identical(entry.raw, raw) {
		return nil, false
	}
	return entry, false
}

// fill compiles and settles the account, whatever happens: others wait.
func (c *Cache) fill(ctx context.Context, entry *cached, raw value.Value, o Options) {
	entry.err = errors.New("compile a schema: it was given up")
	defer func() {
		c.settle(entry)
		close(entry.ready) // Behind the account, so that who waits for a failed one finds it gone.
	}()
	entry.schema, entry.err = compileUntil(ctx, raw, o)
}

func (c *Cache) settle(entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry.err != nil {
		c.drop(entry)
		return
	}
	if e, ok := c.byKey[entry.key]; !ok || e.Value != any(entry) {
		return // It was pushed out while it was compiled.
	}
	entry.size = entry.schema.size
	c.size += entry.size
	for c.size > c.max && c.recent.Len() > 1 {
		c.drop(c.recent.Back().Value.(*cached)) //nolint:forcetypeassert // The list holds nothing else.
	}
}

func (c *Cache) drop(entry *cached) {
	if e, ok := c.byKey[entry.key]; ok && e.Value == any(entry) {
		c.recent.Remove(e)
		delete(c.byKey, entry.key)
		if id, ok := entry.raw.Identity(); ok {
			delete(c.byRaw, rawKey{id, entry.key.options})
		}
		c.size -= entry.size
	}
}

// Size gives the count of schemas and their bytes.
func (c *Cache) Size() (schemas, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len(), c.size
}

// fingerprint hashes the schema in its own order, which decides the order of answers, without writing it.
func (c *Cache) fingerprint(raw value.Value) uint64 {
	return fingerprint(c.seed, raw) | 1 // 0 is none.
}

func fingerprint(seed maphash.Seed, v value.Value) uint64 {
	sum := uint64(v.Kind())
	switch v.Kind() {
	case value.KindString, value.KindNumber:
		sum += maphash.String(seed, v.Text())
	case value.KindObject:
		for i := range v.Len() {
			sum = mix(mix(sum, maphash.String(seed, v.NameAt(i))), fingerprint(seed, v.At(i)))
		}
	case value.KindArray:
		for i := range v.Len() {
			sum = mix(sum, fingerprint(seed, v.At(i)))
		}
	default:
		if v.Truth() {
			sum += 1 << 32
		}
	}
	return mix(sum, uint64(v.Len())) //nolint:gosec // A length is not negative.
}

package schema

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/promptd/promptd/internal/value"
)

// DefaultCacheBytes is the cache's size where none is given.
const DefaultCacheBytes = 100 << 20

// Cache keeps compiled schemas, the least recently used out first. It is safe for concurrent use; a schema that several callers want at
// once is compiled once.
type Cache struct {
	max int

	mu     sync.Mutex
	size   int
	recent *list.List // of *cached, the most recently used first
	byKey  map[cacheKey]*list.Element
}

type cacheKey [sha256.Size]byte

// cached is a schema that is compiled or being compiled; ready is closed behind that.
type cached struct {
	key    cacheKey
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
	return &Cache{max: bytes, recent: list.New(), byKey: map[cacheKey]*list.Element{}}
}

// Compile gives the compiled schema, from the cache where it is there. Faulty schemas are not kept. Schemas with remotes are compiled each
// time: what they judge depends on more than their text. Compiling and waiting end with ctx; the error is then its own.
func (c *Cache) Compile(ctx context.Context, raw value.Value, o Options) (*Schema, error) {
	if len(o.Remotes) > 0 {
		return compileUntil(ctx, raw, o)
	}
	key := keyOf(raw, o)
	for {
		c.mu.Lock()
		e, ok := c.byKey[key]
		if !ok {
			entry := &cached{key: key, ready: make(chan struct{})}
			c.byKey[key] = c.recent.PushFront(entry)
			c.mu.Unlock()
			c.fill(ctx, entry, raw, o)
			return entry.schema, entry.err
		}
		c.recent.MoveToFront(e)
		c.mu.Unlock()
		entry := e.Value.(*cached) //nolint:forcetypeassert // The list holds nothing else.
		select {
		case <-entry.ready:
		case <-ctx.Done():
			return nil, stopped(ctx)
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
		c.size -= entry.size
	}
}

// Size gives the count of schemas and their bytes.
func (c *Cache) Size() (schemas, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len(), c.size
}

// keyOf hashes the schema in its own order, which decides the order of answers, and every option that changes the verdict.
func keyOf(raw value.Value, o Options) cacheKey {
	text := raw.Append(make([]byte, 0, 4096))
	text = fmt.Appendf(text, "\n%d %t %d %d %d", o.Draft, o.AnnotateFormat, o.Limits.Bytes, o.Limits.Depth, o.Limits.Subschemas)
	return sha256.Sum256(text)
}

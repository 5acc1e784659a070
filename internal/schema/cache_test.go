package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/fault"
)

func TestCacheCompilesASchemaOnce(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	raw := decode(t, `{"type":"object","properties":{"a":{"type":"string"}}}`)
	var wg sync.WaitGroup
	got := make([]*Schema, 20)
	for i := range got {
		wg.Go(func() { got[i], _ = c.Compile(t.Context(), raw, Options{}) })
	}
	wg.Wait()
	for _, s := range got {
		if s == nil || s != got[0] {
			t.Fatalf("got %p and %p, want one schema for all", s, got[0])
		}
	}
	other, err := c.Compile(t.Context(), raw, Options{AnnotateFormat: true})
	if err != nil || other == got[0] {
		t.Fatalf("other options gave the same schema (%v)", err)
	}
	if n, bytes := c.Size(); n != 2 || bytes <= 0 {
		t.Errorf("size %d schemas, %d bytes; want 2 and more than none", n, bytes)
	}
}

func TestCachePushesOutTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	const room = 20_000
	c := NewCache(room)
	first := decode(t, `{"title":"0"}`)
	kept, _ := c.Compile(t.Context(), first, Options{})
	for i := range 200 {
		if _, err := c.Compile(t.Context(), decode(t, fmt.Sprintf(`{"title":"%d"}`, i+1)), Options{}); err != nil {
			t.Fatal(err)
		}
		if again, _ := c.Compile(t.Context(), first, Options{}); again != kept {
			t.Fatalf("the schema in use was pushed out after %d others", i+1)
		}
	}
	if n, bytes := c.Size(); bytes > room || n < 2 || n > 100 {
		t.Errorf("size %d schemas, %d bytes; want at most %d bytes", n, bytes, room)
	}
}

func TestCacheKeepsNoFaultySchema(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	for range 2 {
		if _, err := c.Compile(t.Context(), decode(t, `{"type":"text"}`), Options{}); !fault.Is(err, fault.InvalidSchema) {
			t.Fatalf("got %v, want %s", err, fault.InvalidSchema)
		}
	}
	if n, bytes := c.Size(); n != 0 || bytes != 0 {
		t.Errorf("size %d schemas, %d bytes; want none", n, bytes)
	}
}

func TestCompilingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c := NewCache(0)
	raw := decode(t, `{"allOf":[`+strings.Repeat(`{"pattern":"^(a|b)*$"},`, 4000)+`{}]}`)
	if _, err := c.Compile(ended, raw, Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if s, err := c.Compile(t.Context(), raw, Options{}); err != nil || s == nil {
		t.Fatalf("after another caller's context ended: %v", err)
	}
	if _, err := c.Compile(ended, raw, Options{Remotes: Remotes{"http://x/": raw}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("with remotes: got %v, want %v", err, context.Canceled)
	}
}

// A waiter's context ends its own wait and nobody else's compiling.
func TestAWaiterLeavesAtItsOwnContextsEnd(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	raw := decode(t, `{"title":"t"}`)
	entry := &cached{key: keyOf(raw, Options{}), ready: make(chan struct{})}
	c.byKey[entry.key] = c.recent.PushFront(entry)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Compile(ended, raw, Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	// The compiling caller is stopped by its own context: the one that waits compiles for itself.
	done := make(chan error)
	go func() {
		_, err := c.Compile(t.Context(), raw, Options{})
		done <- err
	}()
	c.fill(ended, entry, raw, Options{})
	if err := <-done; err != nil {
		t.Fatalf("got %v, want a schema", err)
	}
}

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
	entry, mine := c.look(raw, Options{}, &cacheKey{})
	if !mine {
		t.Fatal("an empty cache has an entry")
	}
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

// A fingerprint finds an entry and does not prove it: another schema with the same one gets its own compilation, and nobody's verdict.
func TestASchemaWithTheSameFingerprintIsAnother(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	strings, numbers := decode(t, `{"type":"string"}`), decode(t, `{"type":"number"}`)
	first, err := c.Compile(t.Context(), strings, Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := cacheKey{c.fingerprint(numbers), cacheOptions{}}
	c.byKey[key] = c.byKey[cacheKey{c.fingerprint(strings), cacheOptions{}}]
	s, err := c.Compile(t.Context(), numbers, Options{})
	if err != nil || s == first {
		t.Fatalf("got the schema of another fingerprint (%v)", err)
	}
	if v, _ := s.Accept(t.Context(), decode(t, `1`)); !v.OK() {
		t.Error("the schema of another fingerprint judges")
	}
}

// The order of members and the spelling of numbers decide an answer's form: they make another schema. One and the same text is one schema however often it is read.
func TestTheCacheTellsSpellingsApart(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	text := `{"properties":{"a":{"minimum":1},"b":{"const":"x"}},"required":["a"]}`
	s, err := c.Compile(t.Context(), decode(t, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.Compile(t.Context(), decode(t, text), Options{}); again != s {
		t.Error("the same text was compiled twice")
	}
	for _, other := range []string{
		`{"properties":{"b":{"const":"x"},"a":{"minimum":1}},"required":["a"]}`, `{"properties":{"a":{"minimum":1.0},"b":{"const":"x"}},"required":["a"]}`,
		`{"properties":{"a":{"minimum":1},"b":{"const":"x"}},"required":["a",""]}`, `{"properties":{"a":{"minimum":1,"b":{"const":"x"}}},"required":["a"]}`,
	} {
		if o, err := c.Compile(t.Context(), decode(t, other), Options{}); err != nil || o == s {
			t.Errorf("%s gave the schema of %s (%v)", other, text, err)
		}
	}
}

package postgres_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// TestARevokedKeyIsRefusedByOtherProcesses makes and revokes keys in one store, and watches for it in another that knows the keys from memory.
func TestARevokedKeyIsRefusedByOtherProcesses(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	here, there := open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})
	verifier, err := key.NewVerifier(t.Context(), there.Keys(), key.VerifierConfig{Teams: there.Teams(), OnError: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := verifier.Run(ctx); err != nil {
			t.Errorf("run the verifier: got the error %v, want none", err)
		}
	})
	defer func() { cancel(); all.Wait() }()

	one, secret, err := (&key.Issuer{Store: here.Keys()}).Create(t.Context(), key.Key{Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	seen := func(what string, good func(error) bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; {
			_, err := verifier.Verify(t.Context(), secret.Reveal())
			if good(err) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: after a minute the other process says %v", what, err)
			}
		}
	}
	seen("a new key", func(err error) bool { return err == nil })
	if _, err := here.Keys().Revoke(t.Context(), key.AllTeams(), one.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	seen("a revoked key", func(err error) bool { return fault.Is(err, fault.Unauthorized) })
}

func TestProcessesShareSecrets(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const processes = 4
	got := make([][]byte, processes)
	var all sync.WaitGroup
	for i := range processes {
		db := open(t, postgres.Options{URL: with(url, "pool_max_conns=2")})
		all.Go(func() {
			var err error
			if got[i], err = db.Secret(context.Background(), "states"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range got {
		if len(got[i]) != 32 || !bytes.Equal(got[i], got[0]) {
			t.Errorf("process %d has %d bytes, the same as the first: %t", i, len(got[i]), bytes.Equal(got[i], got[0]))
		}
	}
	other, err := open(t, postgres.Options{URL: url}).Secret(t.Context(), "another")
	if err != nil || bytes.Equal(other, got[0]) {
		t.Errorf("a secret of another name: got %v, the same: %t", err, bytes.Equal(other, got[0]))
	}
}

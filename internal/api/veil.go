package api

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
)

// veil hides answers that hold a secret while they are kept under an idempotency key. They are encrypted with a key that is made of the caller's bearer
// token, which is nowhere stored, so that the store alone gives nothing away and nobody but the caller gets the answer again.
type veil struct {
	// process stands for the token where no keys are wanted; answers of another process are lost then.
	process [32]byte
}

func newVeil() veil {
	var v veil
	_, _ = rand.Read(v.process[:]) // It never fails: crypto/rand ends the program where it can't read.
	return v
}

func (v *veil) cipher(c *call, name idempotency.Name) (cipher.AEAD, error) {
	secret := v.process[:]
	if token, ok := bearer(c.r.Header.Get("Authorization")); ok && !c.server.deps.Settings().Anyone {
		secret = []byte(token)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "promptd kept answer\n"+string(name.Team)+"\n"+name.Key, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a kept answer: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of a kept answer: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// onceHidden is once for answers that hold a secret.
func (c *call) onceHidden(name idempotency.Name, raw []byte, run func(context.Context) (idempotency.Response, error)) error {
	if name.Key == "" {
		r, err := run(c.r.Context())
		if err != nil {
			return err
		}
		return c.shown(r)
	}
	box, err := c.server.veil.cipher(c, name)
	if err != nil {
		return err
	}
	var made idempotency.Response
	kept, replayed, err := c.work(name, raw, func(ctx context.Context) (idempotency.Response, error) {
		r, err := run(ctx)
		if err != nil {
			return r, err
		}
		made = r
		r.Body = box.Seal(nil, nil, r.Body, nil)
		return r, nil
	})
	switch {
	case err != nil:
		return err
	case !replayed:
		return c.shown(made)
	}
	if kept.Status < http.StatusBadRequest {
		if kept.Body, err = box.Open(nil, nil, kept.Body, nil); err != nil {
			return lost(err)
		}
	}
	c.w.Header().Set("Idempotent-Replayed", "true")
	return c.shown(kept)
}

func lost(cause error) error {
	f := fault.New(fault.Conflict, "this was done under the same Idempotency-Key by a caller with another API key; its answer holds a secret that nobody else is shown")
	f.Remediation = "List the keys, and rotate the one that was made to get another secret."
	return f.Because(cause)
}

// shown answers with a response that holds a secret; of a new thing it says where it is.
func (c *call) shown(r idempotency.Response) error {
	if r.Status == http.StatusCreated {
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(r.Body, &made); err != nil || made.ID == "" {
			return errors.Join(errors.New("a kept answer names no id"), err)
		}
		c.w.Header().Set("Location", c.r.URL.Path+"/"+made.ID)
	}
	return c.kept(r)
}

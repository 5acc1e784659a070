package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// The longest times of requests about batches. What is sent and fetched may be large, and nobody waits for it.
const (
	batchAsk   = time.Minute
	batchSend  = 10 * time.Minute
	batchFetch = 20 * time.Minute
)

// Batch is a batch at a service, with all that another process needs to go on with it: it is kept where it outlives this one.
type Batch struct {
	dialect.Batch
	// Provider is the account's name, and Via the mark of the credential that the batch was made with: a batch belongs to an organisation at the service, and
	// the credentials of an account may be of several.
	Provider, Via string
}

// Batcher gives the dialect's batches, where the account's service has them.
func (p *Provider) Batcher() (dialect.Batcher, bool) {
	b, ok := p.account.Dialect.(dialect.Batcher)
	return b, ok && p.account.Batches
}

// errNoBatches is the cause of an error of an account without batches: its configuration has changed since.
var errNoBatches = errors.New("the provider has no batches")

// BatchEntry encodes a call for a batch.
func (p *Provider) BatchEntry(m *Model, id string, c dialect.Call) ([]byte, error) {
	d, ok := p.Batcher()
	if !ok {
		return nil, errNoBatches
	}
	c.Model, c.Capability, c.Stream = m.Name, m.Capability, false
	return d.BatchEntry(id, c)
}

// Upload brings the entries of a batch to the service, where that is a step of its own: the batch has its InputFile then. The label is to be unique for all times
// at the service. The error is a *dialect.Error, as of all methods below.
func (p *Provider) Upload(ctx context.Context, b Batch, entries [][]byte) (Batch, error) {
	b.Provider, b.Via = p.account.Name, p.batchCredential(b.Via).mark()
	made, sent, err := p.batchStep(ctx, dialect.BatchUpload, &b, entries, batchSend)
	if err == nil && sent {
		b.InputFile = made.InputFile
	}
	return b, err
}

// CreateBatch begins a batch. Where it fails the batch may have been begun all the same: FindBatch says so, if the service has labels.
func (p *Provider) CreateBatch(ctx context.Context, b Batch, entries [][]byte) (Batch, error) {
	b.Provider, b.Via = p.account.Name, p.batchCredential(b.Via).mark()
	made, _, err := p.batchStep(ctx, dialect.BatchCreate, &b, entries, batchSend)
	if err == nil {
		b.Batch = merged(b.Batch, made)
	}
	return b, err
}

// LookAtBatch asks for a batch's state.
func (p *Provider) LookAtBatch(ctx context.Context, b Batch) (Batch, error) {
	now, _, err := p.batchStep(ctx, dialect.BatchLook, &b, nil, batchAsk)
	if err == nil {
		b.Batch = merged(b.Batch, now)
	}
	return b, err
}

// merged takes over what a service says; what it does not say this time stays.
func merged(b, now dialect.Batch) dialect.Batch {
	b.ID, b.State, b.Code = now.ID, now.State, now.Code
	for _, f := range [...]struct {
		at  *string
		now string
	}{{&b.InputFile, now.InputFile}, {&b.OutputFile, now.OutputFile}, {&b.ErrorFile, now.ErrorFile}} {
		if f.now != "" {
			*f.at = f.now
		}
	}
	if !now.CreatedAt.IsZero() {
		b.CreatedAt = now.CreatedAt
	}
	if !now.ExpiresAt.IsZero() {
		b.ExpiresAt = now.ExpiresAt
	}
	return b
}

// batchStep makes the one request of a step and decodes its answer; sent is false where the service has no such step.
func (p *Provider) batchStep(ctx context.Context, step dialect.BatchStep, b *Batch, entries [][]byte, most time.Duration) (got dialect.Batch, sent bool, err error) {
	d, requests, err := p.batchRequests(step, b, entries)
	if err != nil || len(requests) == 0 {
		return got, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	resp, err := p.batchSend(ctx, requests[0], b.Via)
	if err != nil {
		return got, true, err
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it, and the body was read.
	got, err = d.DecodeBatch(step, resp.Body)
	if err != nil {
		err = broken(ctx, err)
	}
	return got, true, err
}

// batchRequests encodes a step.
func (p *Provider) batchRequests(step dialect.BatchStep, b *Batch, entries [][]byte) (dialect.Batcher, []dialect.Request, error) {
	d, ok := p.Batcher()
	if !ok {
		return nil, nil, &dialect.Error{Outcome: dialect.BadRequest, Cause: errNoBatches}
	}
	requests, err := d.BatchRequests(step, &b.Batch, entries)
	if err != nil {
		return nil, nil, &dialect.Error{Outcome: dialect.BadRequest, Cause: err}
	}
	return d, requests, nil
}

// batchSend sends a request about a batch, past the limits of direct calls: it is no call to a model, and the service counts it apart. Whoever calls it closes
// the body, whose status is a good one.
func (p *Provider) batchSend(ctx context.Context, r dialect.Request, via string) (*http.Response, error) {
	resp, err := p.send(ctx, r, p.batchCredential(via))
	if err != nil {
		return nil, transport(ctx, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it.
		_, failed := p.fail(ctx, resp)
		return nil, failed
	}
	return resp, nil
}

// batchCredential finds the credential with a mark; the first one where there is none, or it was replaced since.
func (p *Provider) batchCredential(via string) Credential {
	for _, c := range p.account.Credentials {
		if via != "" && c.mark() == via {
			return c
		}
	}
	if len(p.account.Credentials) > 0 {
		return p.account.Credentials[0]
	}
	return Credential{}
}

// mark tells credentials apart without saying them.
func (c Credential) mark() string {
	const size = 6
	if c == (Credential{}) {
		return ""
	}
	sum := sha256.Sum256([]byte(c.Header + "\x00" + c.Value))
	return hex.EncodeToString(sum[:size])
}

// mostPages bounds a search among the batches of an account.
const mostPages = 20

// FindBatch looks for a batch by its label among those of the account, the newest first, back to a time. found is false where there is none, and where the service
// has no labels.
func (p *Provider) FindBatch(ctx context.Context, b Batch, since time.Time) (_ Batch, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchAsk)
	defer cancel()
	d, ok := p.Batcher()
	if !ok || !d.BatchBounds().Labels {
		return b, false, nil
	}
	cursor := Batch{Via: b.Via}
	for range mostPages {
		page, next, err := p.batchPage(ctx, d, &cursor)
		if err != nil {
			return b, false, err
		}
		for _, one := range page {
			if one.Label == b.Label {
				b.Batch = merged(b.Batch, one)
				return b, true, nil
			}
			if !one.CreatedAt.IsZero() && one.CreatedAt.Before(since) {
				return b, false, nil
			}
		}
		if cursor.ID = next; next == "" {
			return b, false, nil
		}
	}
	return b, false, nil
}

func (p *Provider) batchPage(ctx context.Context, d dialect.Batcher, cursor *Batch) ([]dialect.Batch, string, error) {
	_, requests, err := p.batchRequests(dialect.BatchList, cursor, nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := p.batchSend(ctx, requests[0], cursor.Via)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it, and the body was read.
	page, next, err := d.DecodeBatches(resp.Body)
	if err != nil {
		return nil, "", broken(ctx, err)
	}
	return page, next, nil
}

// BatchResults fetches the results of a batch that has ended, as LookAtBatch gave it, and yields them as they come. An error ends them: not all have come, and they
// are to be fetched again; those that were yielded are right all the same.
func (p *Provider) BatchResults(ctx context.Context, b Batch) iter.Seq2[dialect.BatchResult, error] {
	return func(yield func(dialect.BatchResult, error) bool) {
		d, requests, err := p.batchRequests(dialect.BatchFetch, &b, nil)
		if err != nil {
			yield(dialect.BatchResult{}, err)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, batchFetch)
		defer cancel()
		for _, r := range requests {
			if !p.batchResults(ctx, d, r, b.Via, yield) {
				return
			}
		}
	}
}

// batchResults yields the results of one answer; false ends it.
func (p *Provider) batchResults(ctx context.Context, d dialect.Batcher, r dialect.Request, via string, yield func(dialect.BatchResult, error) bool) bool {
	resp, err := p.batchSend(ctx, r, via)
	if err != nil {
		yield(dialect.BatchResult{}, err)
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it.
	for result, err := range d.BatchResults(resp.Body) {
		if err != nil {
			yield(dialect.BatchResult{}, broken(ctx, err))
			return false
		}
		if !yield(result, nil) {
			return false
		}
	}
	return true
}

// CancelBatch ends a batch early.
func (p *Provider) CancelBatch(ctx context.Context, b Batch) error {
	return p.batchAsk(ctx, dialect.BatchCancel, &b)
}

// ForgetBatch deletes what the service keeps of a batch that has ended.
func (p *Provider) ForgetBatch(ctx context.Context, b Batch) error {
	return p.batchAsk(ctx, dialect.BatchForget, &b)
}

// batchAsk makes all requests of a step whose answers say nothing more than that it was done.
func (p *Provider) batchAsk(ctx context.Context, step dialect.BatchStep, b *Batch) error {
	_, requests, err := p.batchRequests(step, b, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, batchAsk)
	defer cancel()
	var failed []error
	for _, r := range requests {
		resp, err := p.batchSend(ctx, r, b.Via)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", r.Method, r.Path, err))
			continue
		}
		_ = resp.Body.Close() //nolint:errcheck // Nobody reads it.
	}
	return errors.Join(failed...)
}

// BatchAttempt is the record of a call that a batch has answered, with its cost; N and Reason are the caller's to fill. The error is nil where there is a reply.
func BatchAttempt(providerName string, m *Model, r *dialect.BatchResult, begun time.Time) (Attempt, error) {
	a := Attempt{Provider: providerName, Model: m.Name, StartedAt: begun, Batch: true}
	var err error
	if r.Err != nil {
		err = r.Err
	} else {
		a.Status = http.StatusOK
	}
	batch := *m
	batch.Price = m.BatchPrice()
	if failed := a.conclude(r.Reply, &batch, err); failed != nil {
		return a, failed
	}
	return a, nil
}

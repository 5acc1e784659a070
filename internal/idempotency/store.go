package idempotency

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// ErrLost says that a claim is no longer the owner's: its lease ended and somebody else may have taken the key.
var ErrLost = errors.New("the claim on the idempotency key was lost")

// Store keeps claims and answers. All methods can be called concurrently, also by several processes, by the clock of the store.
// They end with the context's error when it is cancelled and have changed nothing then.
type Store interface {
	// Claim takes the name for the owner where it is free: never used, kept for longer than keep, or left by an owner whose
	// lease ended. It is one step: of several that claim at the same time one gets it.
	Claim(ctx context.Context, n Name, body Body, owner string, lease, keep time.Duration) (Claimed, error)
	// Renew prolongs the owner's lease; ErrLost where it is not the owner's.
	Renew(ctx context.Context, n Name, owner string, lease time.Duration) error
	// Finish keeps the answer and ends the claim; ErrLost where it is not the owner's.
	Finish(ctx context.Context, n Name, owner string, r Response) error
	// Release frees the name without an answer; ErrLost where it is not the owner's.
	Release(ctx context.Context, n Name, owner string) error
	// Forget deletes at most limit answers that were kept for longer than keep and claims that nobody holds, and says how many.
	Forget(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// Name is a caller's idempotency key within its team.
type Name struct {
	Team key.TeamID
	Key  string
}

// Body is the SHA-256 of what has to be the same: the path and the body.
type Body [32]byte

// Response is an answer as it went over the wire.
type Response struct {
	Status      int
	ContentType string
	Body        []byte
}

// Claimed is what became of a claim.
type Claimed struct {
	State State
	// Response is there where State is Answered.
	Response Response
}

// State is how a name stands.
type State uint8

// The states.
const (
	// Taken: the claim is now the asker's.
	Taken State = iota + 1
	// Running: another owner works on the same body.
	Running
	// Answered: the answer is there.
	Answered
	// OtherBody: the name is used for another body.
	OtherBody
)

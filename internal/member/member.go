// Package member knows which processes an installation has: each says in the database every few seconds that it lives, and counts those that do.
//
// It is for what is shared out by the number of processes, such as a limit while Redis is away, and for showing who is there. It elects nobody, and nothing that must
// be true of one process alone may build on it: a process that is gone is counted for some seconds more. An embedded store has one process and needs none of it.
//
// The main types are [Member], and [Group], the owner that says so and counts.
package member

import (
	"context"
	"time"
)

// Member is a process.
type Member struct {
	// ID is unlike that of any other process, of one that was before as well.
	ID string
	// Host is the machine's or pod's name, for people.
	Host string
	// Roles are what the process does, in their order.
	Roles []string
	// Version is that of the program.
	Version string
	// StartedAt and SeenAt are by the store's clock.
	StartedAt, SeenAt time.Time
}

// Store keeps the members. It judges by its own clock; those of processes do not matter.
type Store interface {
	// Beat keeps that a member lives, forgets those that have not been seen for so long, and lists the others, the oldest first. What the member says of itself
	// takes the place of what it said before, but for the time at which it was first seen.
	Beat(ctx context.Context, m Member, forget time.Duration) ([]Member, error)
	// Leave forgets a member at once; one that is not there is no error.
	Leave(ctx context.Context, id string) error
	// Members lists those that have been seen within so long, the oldest first.
	Members(ctx context.Context, within time.Duration) ([]Member, error)
}

// MostMembers bounds the lists; nobody runs so many.
const MostMembers = 10_000

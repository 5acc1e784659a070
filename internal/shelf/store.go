package shelf

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
)

// ErrMoved says that a name changed since its revision was read. Nothing was kept; the caller looks again.
var ErrMoved = errors.New("the name changed meanwhile")

// Store keeps what stands on a shelf. All methods can be called concurrently, end early with the context's error when it is cancelled and then have changed nothing,
// and read nothing of another team. What is not there is NOT_FOUND. A method that changes something moves the change counter and the name's revision in
// the same transaction.
type Store interface {
	// Publish keeps a version under the name's next number, and the name where it is new: number and revision are the store's. It is ErrMoved where the
	// name's revision is not that of the publication.
	Publish(ctx context.Context, p Publication) (Name, Version, error)
	// Find reads a name with one of its versions, withdrawn or not; number 0 means the newest that is not. A name without any such version is found with the zero Version.
	Find(ctx context.Context, team key.TeamID, name string, number int) (Name, Version, error)
	// List reads names in alphabetical order, those behind after. An empty next one ends.
	List(ctx context.Context, team key.TeamID, f Filter) (list []Name, next string, err error)
	// Versions reads a name's versions without their contents, the newest first, those below before; 0 begins, and a next of 0 ends.
	Versions(ctx context.Context, team key.TeamID, name string, f VersionFilter) (list []Version, next int, err error)
	// Change changes what is not nil.
	Change(ctx context.Context, team key.TeamID, name string, c Change) (Name, error)
	// Withdraw hides a version, or the whole name for the number 0. A second time changes nothing and keeps the first time.
	Withdraw(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (Name, error)
	// Restore undoes that, for the same number; the other withdrawals of the name stay. What is not withdrawn is left as it is.
	Restore(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (Name, error)
	// Changes reads the change counter: it moves with every change of any team.
	Changes(ctx context.Context) (int64, error)
}

// Publication is a version that shall be kept.
type Publication struct {
	Version
	// Description replaces the name's; nil keeps it.
	Description *string
	// Kept is the mode that a new name keeps.
	Kept compat.Mode
	// Revision is that of the name as it was compared with; 0 for a name that does not exist.
	Revision int64
}

// Filter chooses names.
type Filter struct {
	// Withdrawn shows withdrawn names too.
	Withdrawn bool
	// Limit is 1 to MaxPage.
	Limit int
	// After is the last name of the page before.
	After string
}

// VersionFilter chooses versions.
type VersionFilter struct {
	Withdrawn bool
	Limit     int
	Before    int
}

// Change is what can be changed of a name.
type Change struct {
	Description   *string
	Compatibility *compat.Mode
	At            time.Time
}

// The sizes of a page.
const (
	DefaultPage = 50
	MaxPage     = 500
)

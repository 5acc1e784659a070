package shelf

import (
	"context"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// DefaultPatience bounds a comparison where nothing else is said. One that takes longer has proven nothing: it is called neither compatible nor a break.
const DefaultPatience = 2 * time.Second

// Within runs a comparison with a version, and tells it to end when the shelf's patience does. What it found is of use where the error is nil: decided says
// that it found out whether one may follow the other. A comparison that was ended undecided is a TIMEOUT.
func (s *Shelf[T]) Within(ctx context.Context, before *Version, compare func(ctx context.Context) (decided bool)) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	decided := compare(limited)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("compare with %s: %w", before.Ref(), err)
	}
	if decided || limited.Err() == nil {
		return nil
	}
	f := fault.New(fault.Timeout, "comparing with %s takes longer than %v, and has decided nothing", before.Ref(), s.cfg.Patience).Because(limited.Err())
	f.Remediation = "Try again when the machine has less to do, simplify the schema at its largest places, or publish it with compatibility none."
	return f
}

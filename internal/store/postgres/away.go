package postgres

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/fault"
)

// ErrAway is within the error of [Open] where no database answers at the URL, or one that is just starting: it may be there a moment later.
var ErrAway = errors.New("postgres: the database is away")

// notThere says of a database that could not be connected to where it was looked for and what came of it. What waiting does not mend is left as it is, such as a
// wrong password.
func notThere(c *pgx.ConnConfig, err error) error {
	var known *fault.Fault
	if !errors.As(err, &known) || known.Code != fault.Overloaded {
		return err
	}
	detail := known.Detail
	if op, is := errors.AsType[*net.OpError](err); is {
		detail += ": " + op.Err.Error()
	}
	f := fault.New(fault.Overloaded, "%s at %s", strings.TrimSuffix(detail, "."), addresses(c)).Because(fmt.Errorf("%w: %w", ErrAway, err))
	f.RetryAfter = known.RetryAfter
	f.Remediation = "Start it, or correct database.url."
	return f
}

// addresses are where a URL looks for its database, without the user or the password.
func addresses(c *pgx.ConnConfig) string {
	list := []string{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	for _, other := range c.Fallbacks { // The same host with and without TLS is named once.
		if at := net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port))); !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return strings.Join(list, ", ")
}

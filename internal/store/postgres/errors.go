package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/promptd/promptd/internal/fault"
)

// comeAgain is the Retry-After of what the database's trouble refuses.
const comeAgain = 2 * time.Second

// explain says what was attempted. The database's own trouble becomes OVERLOADED: the caller comes again, others see why. ctx is the caller's: where it has ended,
// its error is the answer.
func explain(ctx context.Context, attempt string, err error) error {
	if err == nil || errors.As(err, new(*fault.Fault)) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", attempt, ended)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	whole := fmt.Errorf("%s: %w", attempt, err)
	if detail := trouble(err); detail != "" {
		f := fault.New(fault.Overloaded, "%s", detail).Because(whole)
		f.RetryAfter = comeAgain
		return f
	}
	if code := codeOf(err); code == "22021" || code == "22P05" {
		f := fault.New(fault.InvalidRequest, "a text holds a character that the database can't keep").Because(whole)
		f.Remediation = "Leave out U+0000."
		return f
	}
	return whole
}

// codeOf gives the SQLSTATE of an error that the server has sent.
func codeOf(err error) string {
	if known, ok := errors.AsType[*pgconn.PgError](err); ok {
		return known.Code
	}
	return ""
}

// trouble says what is wrong with the database where it is not the statement.
func trouble(err error) string {
	switch code := codeOf(err); {
	case code == "57014":
		return "the database took too long"
	case code == "55P03":
		return "the database waited too long for a lock"
	case code == "40001", code == "40P01":
		return "several calls changed the same rows at the same time"
	case code == "25006":
		return "the database can only be read: it is a replica, or it was told so"
	case code == "53100":
		return "the disk of the database is full"
	case code == "53300":
		return "the database takes no more connections"
	case strings.HasPrefix(code, "53"):
		return "the database lacks memory or another resource"
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"), code == "25P03":
		return "the database ends or is restarting"
	case code != "":
		return ""
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the database does not answer in time"
	}
	if errors.As(err, new(*pgconn.ConnectError)) || errors.As(err, new(net.Error)) || pgconn.SafeToRetry(err) || isCut(err) {
		return "the database can't be reached"
	}
	return ""
}

// isCut recognises a connection that ended under a statement.
func isCut(err error) bool {
	return pgconn.Timeout(err) || strings.Contains(err.Error(), "unexpected EOF") || strings.Contains(err.Error(), "conn closed")
}

// isConflict recognises a row that is there already.
func isConflict(err error) bool { return codeOf(err) == "23505" }

// isRace recognises what a second try mends, because the server has undone the first.
func isRace(err error) bool {
	code := codeOf(err)
	return code == "40001" || code == "40P01"
}

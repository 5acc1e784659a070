// Package statement holds the SQL that both engines take, and the reading of the rows that it gives.
//
// It is not for running anything: the stores do, each in its own way of transactions, locks and clocks, and what only one of them can say stands there.
//
// A statement is a constant with numbered parameters; every value is bound. Times are Unix microseconds, amounts nano-dollars, and texts are compared byte
// by byte (the columns of PostgreSQL have the collation "C"). Where PostgreSQL would guess another type for a parameter than SQLite, a CAST says which.
// A function named Scan… reads the columns of a statement, and a function that ends in Args gives its parameters.
package statement

import (
	"database/sql"
	"time"
)

// Row is a row of either engine's driver.
type Row interface{ Scan(dest ...any) error }

// Micros writes a time, or null where it is zero.
func Micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// TimeOf reads what Micros wrote.
func TimeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

// orNull writes a number, or null where there is none.
func orNull(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

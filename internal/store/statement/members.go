package statement

import (
	"strings"
	"time"

	"github.com/promptd/promptd/internal/member"
)

// Members are the statements of the processes of an installation, for an engine. $1 of each but Leave is the now of a test, or null.
type Members struct {
	// Beat takes MemberArgs, Forget and List how long ago is too long, Leave the id.
	Beat, Forget, List, Leave string
}

// NewMembers makes them for an engine, by how it says what time it is, and by what it adds to a choice of rows to be changed. Two processes that take each other for
// dead must not wait for each other.
func NewMembers(clock, locking string) Members {
	return Members{
		Beat: `INSERT INTO members (id, host, roles, version, started_at, seen_at) VALUES ($2, $3, $4, $5, ` + clock + `, ` + clock + `)
			ON CONFLICT (id) DO UPDATE SET host = excluded.host, roles = excluded.roles, version = excluded.version, seen_at = excluded.seen_at`,
		Forget: `DELETE FROM members WHERE id IN (SELECT id FROM members WHERE seen_at <= ` + clock + ` - CAST($2 AS bigint)` + locking + `)`,
		List: `SELECT id, host, roles, version, started_at, seen_at FROM members WHERE seen_at > ` + clock + ` - CAST($2 AS bigint)
			ORDER BY started_at, id LIMIT $3`,
		Leave: `DELETE FROM members WHERE id = $1`,
	}
}

// MemberArgs are the arguments of Beat behind the time.
func MemberArgs(m *member.Member) []any {
	return []any{m.ID, m.Host, strings.Join(m.Roles, ","), m.Version}
}

// ScanMember reads a row of List.
func ScanMember(row Row) (m member.Member, err error) {
	var roles string
	var started, seen int64
	if err := row.Scan(&m.ID, &m.Host, &roles, &m.Version, &started, &seen); err != nil {
		return m, err
	}
	if roles != "" {
		m.Roles = strings.Split(roles, ",")
	}
	m.StartedAt, m.SeenAt = time.UnixMicro(started).UTC(), time.UnixMicro(seen).UTC()
	return m, nil
}

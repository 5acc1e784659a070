package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/member"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Members keeps the processes of an installation in promptd.db.
type Members struct {
	file *file
	now  func() time.Time
	text sqltext.Members
}

// Members is the part that keeps processes.
func (db *DB) Members() *Members {
	return &Members{file: db.main, now: db.opts.Now, text: sqltext.NewMembers("CAST($1 AS bigint)", "")}
}

// Beat keeps that a member lives.
func (s *Members) Beat(ctx context.Context, m member.Member, forget time.Duration) (list []member.Member, err error) {
	err = s.file.tx(ctx, "member_beat", func(ctx context.Context, tx *sql.Tx) error {
		now := s.now().UnixMicro()
		if _, err := tx.ExecContext(ctx, s.text.Beat, append([]any{now}, sqltext.MemberArgs(&m)...)...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.text.Forget, now, forget.Microseconds()); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, s.text.List, now, forget.Microseconds(), member.MostMembers)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			one, err := sqltext.ScanMember(rows)
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		return rows.Err()
	})
	return list, err
}

// Leave forgets a member.
func (s *Members) Leave(ctx context.Context, id string) error {
	return s.file.tx(ctx, "member_leave", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.text.Leave, id)
		return err
	})
}

// Members lists those that have been seen of late.
func (s *Members) Members(ctx context.Context, within time.Duration) (list []member.Member, err error) {
	err = s.file.rows(ctx, "members", s.text.List, []any{s.now().UnixMicro(), within.Microseconds(), member.MostMembers}, func(rows *sql.Rows) error {
		one, err := sqltext.ScanMember(rows)
		list = append(list, one)
		return err
	})
	return list, err
}

var _ member.Store = (*Members)(nil)

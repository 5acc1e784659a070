package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/member"
	"github.com/promptd/promptd/internal/store/statement"
)

// Members keeps the processes of an installation.
type Members struct {
	db   *DB
	text statement.Members
}

// Members is the part that keeps processes.
func (db *DB) Members() *Members {
	return &Members{db, statement.NewMembers("coalesce($1::bigint, now_micros())", " FOR UPDATE SKIP LOCKED")}
}

// Beat keeps that a member lives.
func (s *Members) Beat(ctx context.Context, m member.Member, forget time.Duration) (list []member.Member, err error) {
	err = s.db.tx(ctx, "member_beat", func(ctx context.Context, tx pgx.Tx) error {
		list = nil
		now := s.db.clock()
		if _, err := tx.Exec(ctx, s.text.Beat, append([]any{now}, statement.MemberArgs(&m)...)...); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.text.Forget, now, forget.Microseconds()); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.text.List, now, forget.Microseconds(), member.MostMembers)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			one, err := statement.ScanMember(rows)
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
	_, err := s.db.exec(ctx, "member_leave", s.text.Leave, id)
	return err
}

// Members lists those that have been seen of late.
func (s *Members) Members(ctx context.Context, within time.Duration) (list []member.Member, err error) {
	err = s.db.rows(ctx, "members", s.text.List, []any{s.db.clock(), within.Microseconds(), member.MostMembers}, func(row statement.Row) error {
		one, err := statement.ScanMember(row)
		list = append(list, one)
		return err
	})
	return list, err
}

var _ member.Store = (*Members)(nil)

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// AddEndpoint keeps a new endpoint.
func (d *Deliveries) AddEndpoint(ctx context.Context, e delivery.Endpoint) error {
	return d.file.tx(ctx, "webhook_add", func(ctx context.Context, tx *sql.Tx) error {
		added, err := changed(tx.ExecContext(ctx, sqltext.AddWebhook, sqltext.WebhookArgs(&e)...))
		if err == nil && !added {
			return sqltext.ManyWebhooks()
		}
		return err
	})
}

// Endpoint reads one.
func (d *Deliveries) Endpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) (delivery.Endpoint, error) {
	team, all := reach.Team()
	e, err := sqltext.ScanWebhook(d.file.read.QueryRowContext(ctx, sqltext.OneWebhook, string(id), all, string(team)))
	if errors.Is(err, sql.ErrNoRows) {
		return delivery.Endpoint{}, sqltext.NoWebhook()
	}
	if err != nil {
		return delivery.Endpoint{}, explain("read a webhook", err)
	}
	return e, nil
}

// Endpoints reads a page. One more row than wanted tells whether another page follows.
func (d *Deliveries) Endpoints(ctx context.Context, reach key.Reach, limit int, after delivery.Cursor) (list []delivery.Endpoint, next delivery.Cursor, err error) {
	query, args := sqltext.WebhookPage(reach, limit, after)
	list = []delivery.Endpoint{}
	err = d.file.rows(ctx, "webhook_list", query, args, func(rows *sql.Rows) error {
		e, err := sqltext.ScanWebhook(rows)
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > limit {
		list = list[:limit]
		next = delivery.Cursor(list[limit-1].ID)
	}
	return list, next, nil
}

// ChangeEndpoint changes what is given.
func (d *Deliveries) ChangeEndpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID, c delivery.Change, at time.Time) (delivery.Endpoint, error) {
	return d.change(ctx, "webhook_change", reach, id, func(ctx context.Context, tx *sql.Tx, e *delivery.Endpoint) error {
		moved := c.URL != nil && *c.URL != e.URL
		c.Apply(e, at)
		if _, err := tx.ExecContext(ctx, sqltext.ChangeWebhook, sqltext.WebhookChangeArgs(e)...); err != nil || !moved {
			return err
		}
		_, err := tx.ExecContext(ctx, sqltext.MoveDeliveries, string(id), delivery.HostOf(e.URL))
		return err
	})
}

// RotateSecret puts another secret in place.
func (d *Deliveries) RotateSecret(ctx context.Context, reach key.Reach, id delivery.EndpointID, s delivery.Secret, until, at time.Time) (delivery.Endpoint, error) {
	return d.change(ctx, "webhook_rotate", reach, id, func(ctx context.Context, tx *sql.Tx, _ *delivery.Endpoint) error {
		_, err := tx.ExecContext(ctx, sqltext.RotateWebhook, string(id), s.Reveal(), until.UnixMicro(), at.UnixMicro())
		return err
	})
}

// change reads an endpoint, changes it and reads it again.
func (d *Deliveries) change(ctx context.Context, name string, reach key.Reach, id delivery.EndpointID,
	do func(context.Context, *sql.Tx, *delivery.Endpoint) error,
) (e delivery.Endpoint, err error) {
	team, all := reach.Team()
	err = d.file.tx(ctx, name, func(ctx context.Context, tx *sql.Tx) error {
		read := func() (delivery.Endpoint, error) {
			return sqltext.ScanWebhook(tx.QueryRowContext(ctx, sqltext.OneWebhook, string(id), all, string(team)))
		}
		e, err = read()
		if errors.Is(err, sql.ErrNoRows) {
			return sqltext.NoWebhook()
		}
		if err != nil {
			return err
		}
		if err := do(ctx, tx, &e); err != nil {
			return err
		}
		e, err = read()
		return err
	})
	if err != nil {
		return delivery.Endpoint{}, err
	}
	return e, nil
}

// DeleteEndpoint removes one.
func (d *Deliveries) DeleteEndpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) error {
	team, all := reach.Team()
	return d.file.tx(ctx, "webhook_delete", func(ctx context.Context, tx *sql.Tx) error {
		there, err := changed(tx.ExecContext(ctx, sqltext.DeleteWebhook, string(id), all, string(team)))
		if err == nil && !there {
			return sqltext.NoWebhook()
		}
		return err
	})
}

var _ delivery.Registry = (*Deliveries)(nil)

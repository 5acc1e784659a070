package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// AddEndpoint keeps a new endpoint.
func (d *Deliveries) AddEndpoint(ctx context.Context, e delivery.Endpoint) error {
	added, err := d.db.exec(ctx, "webhook_add", statement.AddWebhook, statement.WebhookArgs(&e)...)
	if err == nil && added == 0 {
		return statement.ManyWebhooks()
	}
	return err
}

// Endpoint reads one.
func (d *Deliveries) Endpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) (e delivery.Endpoint, err error) {
	team, all := reach.Team()
	err = d.db.row(ctx, "webhook_read", statement.OneWebhook, []any{string(id), all, string(team)}, func(row statement.Row) error {
		e, err = statement.ScanWebhook(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return delivery.Endpoint{}, statement.NoWebhook()
	}
	return e, err
}

// Endpoints reads a page. One more row than wanted tells whether another page follows.
func (d *Deliveries) Endpoints(ctx context.Context, reach key.Reach, limit int, after delivery.Cursor) (list []delivery.Endpoint, next delivery.Cursor, err error) {
	query, args := statement.WebhookPage(reach, limit, after)
	list = []delivery.Endpoint{}
	err = d.db.rows(ctx, "webhook_list", query, args, func(row statement.Row) error {
		e, err := statement.ScanWebhook(row)
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
	return d.change(ctx, "webhook_change", reach, id, func(ctx context.Context, tx pgx.Tx, e *delivery.Endpoint) error {
		moved := c.URL != nil && *c.URL != e.URL
		c.Apply(e, at)
		if _, err := tx.Exec(ctx, statement.ChangeWebhook, statement.WebhookChangeArgs(e)...); err != nil || !moved {
			return err
		}
		_, err := tx.Exec(ctx, statement.MoveDeliveries, string(id), delivery.HostOf(e.URL))
		return err
	})
}

// RotateSecret puts another secret in place.
func (d *Deliveries) RotateSecret(ctx context.Context, reach key.Reach, id delivery.EndpointID, s delivery.Secret, until, at time.Time) (delivery.Endpoint, error) {
	return d.change(ctx, "webhook_rotate", reach, id, func(ctx context.Context, tx pgx.Tx, _ *delivery.Endpoint) error {
		_, err := tx.Exec(ctx, statement.RotateWebhook, string(id), s.Reveal(), until.UnixMicro(), at.UnixMicro())
		return err
	})
}

// change reads an endpoint, changes it and reads it again. Its row is locked first, so that two changes follow one another.
func (d *Deliveries) change(ctx context.Context, name string, reach key.Reach, id delivery.EndpointID,
	do func(context.Context, pgx.Tx, *delivery.Endpoint) error,
) (e delivery.Endpoint, err error) {
	team, all := reach.Team()
	err = d.db.tx(ctx, name, func(ctx context.Context, tx pgx.Tx) error {
		read := func(lock string) (delivery.Endpoint, error) {
			return statement.ScanWebhook(tx.QueryRow(ctx, statement.OneWebhook+lock, string(id), all, string(team)))
		}
		e, err = read(" FOR UPDATE")
		if errors.Is(err, pgx.ErrNoRows) {
			return statement.NoWebhook()
		}
		if err != nil {
			return err
		}
		if err := do(ctx, tx, &e); err != nil {
			return err
		}
		e, err = read("")
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
	gone, err := d.db.exec(ctx, "webhook_delete", statement.DeleteWebhook, string(id), all, string(team))
	if err == nil && gone == 0 {
		return statement.NoWebhook()
	}
	return err
}

var _ delivery.Registry = (*Deliveries)(nil)

-- +goose Up

SET LOCAL lock_timeout = '2s';

-- turn is the number of the draw that a lease is as of: one that comes behind a later one changes nothing. A process of a release before this one leaves it 0, and
-- nobody else has its name.
ALTER TABLE budget_leases ADD COLUMN turn bigint NOT NULL DEFAULT 0;

-- +goose Down

SET LOCAL lock_timeout = '2s';

ALTER TABLE budget_leases DROP COLUMN turn;

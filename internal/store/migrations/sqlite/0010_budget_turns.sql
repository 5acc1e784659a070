-- +goose Up

-- turn is the number of the draw that a lease is as of: one that comes behind a later one changes nothing.
ALTER TABLE budget_leases ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE budget_leases DROP COLUMN turn;

-- +goose Up

-- Batches at providers' batch APIs. stage is sending, open or closed; via marks the credential that the batch was made with, without saying it. The service's
-- names of the batch and of its files are empty where they are not known. A batch is looked after by its holder, until lease_until.
-- owner is the process that holds what its items have reserved of budgets, empty where it was given back; forfeited says that another one did, and died.
CREATE TABLE batches (
    label       TEXT PRIMARY KEY,
    stage       TEXT NOT NULL,
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    via         TEXT NOT NULL,
    remote_id   TEXT NOT NULL,
    input_file  TEXT NOT NULL,
    output_file TEXT NOT NULL,
    error_file  TEXT NOT NULL,
    items       INTEGER NOT NULL,
    looks       INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    cancelled   INTEGER NOT NULL,
    code        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    due_at      INTEGER NOT NULL,
    holder      TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    forfeited   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX batches_due ON batches (due_at) WHERE stage <> 'closed';

-- The items of jobs that are, or were, in a batch: never in a second one. token is that of their lease, reserved what is held of budgets, in nano-dollars.
CREATE TABLE batch_items (
    job      TEXT NOT NULL,
    n        INTEGER NOT NULL,
    label    TEXT NOT NULL,
    place    INTEGER NOT NULL,
    token    TEXT NOT NULL,
    team     TEXT NOT NULL,
    key      TEXT NOT NULL,
    mode     TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    ended    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX batch_items_by_place ON batch_items (label, place);

-- +goose Down

DROP TABLE batch_items;
DROP TABLE batches;

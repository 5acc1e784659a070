-- +goose Up

SET LOCAL lock_timeout = '2s';

-- Batches at providers' batch APIs. stage is sending, open or closed; via marks the credential that the batch was made with, without saying it. The service's
-- names of the batch and of its files are empty where they are not known. A batch is looked after by its holder, until lease_until.
-- owner is the process that holds what its items have reserved of budgets, empty where it was given back; forfeited says that another one did, and died.
CREATE TABLE batches (
    label       text COLLATE "C" PRIMARY KEY,
    stage       text COLLATE "C" NOT NULL,
    provider    text COLLATE "C" NOT NULL,
    model       text COLLATE "C" NOT NULL,
    via         text COLLATE "C" NOT NULL,
    remote_id   text COLLATE "C" NOT NULL,
    input_file  text COLLATE "C" NOT NULL,
    output_file text COLLATE "C" NOT NULL,
    error_file  text COLLATE "C" NOT NULL,
    items       bigint NOT NULL,
    looks       bigint NOT NULL,
    failures    bigint NOT NULL,
    cancelled   bigint NOT NULL,
    code        text COLLATE "C" NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint,
    due_at      bigint NOT NULL,
    holder      text COLLATE "C" NOT NULL,
    lease_until bigint NOT NULL,
    owner       text COLLATE "C" NOT NULL,
    forfeited   bigint NOT NULL
);

CREATE INDEX batches_due ON batches (due_at) WHERE stage <> 'closed';

-- The items of jobs that are, or were, in a batch: never in a second one. token is that of their lease, reserved what is held of budgets, in nano-dollars.
CREATE TABLE batch_items (
    job      text COLLATE "C" NOT NULL,
    n        bigint NOT NULL,
    label    text COLLATE "C" NOT NULL,
    place    bigint NOT NULL,
    token    text COLLATE "C" NOT NULL,
    team     text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    mode     text COLLATE "C" NOT NULL,
    reserved bigint NOT NULL,
    ended    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job, n)
);

CREATE INDEX batch_items_by_place ON batch_items (label, place);

-- +goose Down

SET LOCAL lock_timeout = '2s';

DROP TABLE batch_items, batches;

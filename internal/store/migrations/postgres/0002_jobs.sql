-- +goose Up

SET LOCAL lock_timeout = '2s';

-- A job. ends counts the ends of items, over all runs. due_at is when the reaper looks at the job next: for its deadline, then for its expiry. It mostly stays as
-- it is when a job begins and ends, and state is in no index, so that these changes touch no index and stay on their page (heap-only tuples), which is kept half
-- empty for them. request and metadata are last, and in a place of their own where they are long.
CREATE TABLE jobs (
    id           uuid PRIMARY KEY,
    created_at   bigint NOT NULL,
    started_at   bigint,
    completed_at bigint,
    expires_at   bigint,
    forgotten_at bigint,
    due_at       bigint,
    run_at       bigint NOT NULL,
    deadline     bigint NOT NULL,
    run          integer NOT NULL,
    total        integer NOT NULL,
    completed    integer NOT NULL DEFAULT 0,
    failed       integer NOT NULL DEFAULT 0,
    cancelled    integer NOT NULL DEFAULT 0,
    ends         integer NOT NULL DEFAULT 0,
    priority     smallint NOT NULL,
    urgency      smallint NOT NULL,
    batch        boolean NOT NULL,
    gone         boolean NOT NULL DEFAULT false,
    state        text COLLATE "C" NOT NULL,
    team         text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    trace        text COLLATE "C" NOT NULL,
    endpoint     text COLLATE "C" NOT NULL,
    url          text COLLATE "C" NOT NULL,
    secret       text COLLATE "C" NOT NULL,
    metadata     bytea,
    request      bytea
) WITH (fillfactor = 50);

CREATE INDEX jobs_by_team ON jobs (team, created_at, id);
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;

-- One item. team and priority are the job's, so that who takes work reads one index. lease_until and token are there while somebody has the item; taken_at and
-- worker tell of the last who had it. A table that is a queue is vacuumed early: what was pending leaves its index full of what is no more.
CREATE TABLE job_items (
    job         uuid NOT NULL,
    run_at      bigint NOT NULL,
    lease_until bigint,
    taken_at    bigint,
    ended_at    bigint,
    n           integer NOT NULL,
    seq         integer,
    attempt     integer NOT NULL DEFAULT 0,
    priority    smallint NOT NULL,
    state       text COLLATE "C" NOT NULL,
    team        text COLLATE "C" NOT NULL,
    token       text COLLATE "C",
    worker      text COLLATE "C",
    name        text COLLATE "C",
    tries       text COLLATE "C",
    request     bytea,
    result      bytea,
    PRIMARY KEY (job, n)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX job_items_pending ON job_items (priority, team, run_at, job, n) WHERE state = 'pending';
CREATE INDEX job_items_leased ON job_items (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX job_items_ended ON job_items (job, seq) WHERE seq IS NOT NULL;

-- Uploads that are not sealed, and when something was last added; 0 is one that is being deleted.
CREATE TABLE job_uploads (
    job         uuid PRIMARY KEY,
    idempotency text COLLATE "C" NOT NULL,
    touched_at  bigint NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX job_uploads_by_rest ON job_uploads (touched_at);

CREATE TABLE job_keys (
    team       text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    hash       bytea NOT NULL,
    job        uuid NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (team, key)
);

CREATE INDEX job_keys_by_time ON job_keys (created_at);

CREATE TABLE leaders (
    name        text COLLATE "C" PRIMARY KEY,
    holder      text COLLATE "C" NOT NULL,
    lease_until bigint NOT NULL
) WITH (fillfactor = 10);

-- +goose Down

DROP TABLE leaders, job_keys, job_uploads, job_items, jobs;

-- +goose Up

-- A job as it changes; what does not change lies in job_details, so that a change writes a narrow row. num is the job's number in this file. Times are Unix
-- microseconds. ends counts the ends of items, over all runs. due_at is when the reaper looks at the job next: for its deadline, then for its expiry.
CREATE TABLE jobs (
    num          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    team         TEXT NOT NULL,
    state        TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    batch        INTEGER NOT NULL,
    run          INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    completed    INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    ends         INTEGER NOT NULL,
    gone         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    completed_at INTEGER,
    expires_at   INTEGER,
    forgotten_at INTEGER,
    due_at       INTEGER
) STRICT;

CREATE INDEX jobs_by_team ON jobs (team, created_at);
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE job_details (
    num      INTEGER PRIMARY KEY,
    key      TEXT NOT NULL,
    urgency  INTEGER NOT NULL,
    run_at   INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    trace    TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    url      TEXT NOT NULL,
    secret   TEXT NOT NULL,
    metadata BLOB,
    request  BLOB
) STRICT;

-- The number of an item is its job's num * 2^20 + n: what belongs to a job lies side by side, and no index is needed to find it. team and priority are the
-- job's, so that who takes work reads one index. lease_until and token are there while somebody has the item; taken_at and worker tell of the last who had it.
CREATE TABLE job_items (
    item        INTEGER PRIMARY KEY,
    team        TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    state       TEXT NOT NULL,
    run_at      INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    lease_until INTEGER,
    token       TEXT,
    taken_at    INTEGER,
    worker      TEXT,
    tries       TEXT,
    ended_at    INTEGER,
    seq         INTEGER
) STRICT;

CREATE INDEX job_items_pending ON job_items (priority, team, run_at) WHERE state = 'pending';
CREATE INDEX job_items_leased ON job_items (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX job_items_ended ON job_items (item >> 20, seq) WHERE seq IS NOT NULL;

-- What a batch's items were sent as, and what became of items.
CREATE TABLE job_texts (
    item    INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    request BLOB
) STRICT;

CREATE TABLE job_results (
    item   INTEGER PRIMARY KEY,
    result BLOB
) STRICT;

-- Uploads that are not sealed, and when something was last added.
CREATE TABLE job_uploads (
    num         INTEGER PRIMARY KEY,
    idempotency TEXT NOT NULL,
    touched_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX job_uploads_by_rest ON job_uploads (touched_at);

CREATE TABLE job_keys (
    team       TEXT NOT NULL,
    key        TEXT NOT NULL,
    hash       BLOB NOT NULL,
    num        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (team, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_keys_by_time ON job_keys (created_at);

CREATE TABLE leaders (
    name        TEXT PRIMARY KEY,
    holder      TEXT NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE leaders;
DROP TABLE job_keys;
DROP TABLE job_uploads;
DROP TABLE job_results;
DROP TABLE job_texts;
DROP TABLE job_items;
DROP TABLE job_details;
DROP TABLE jobs;

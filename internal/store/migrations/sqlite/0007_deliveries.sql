-- +goose Up

-- Times are Unix microseconds. events holds names with a space before and behind each, or nothing, which is all of them. Secrets are here as they are: they sign.
CREATE TABLE webhooks (
    id              TEXT PRIMARY KEY,
    team            TEXT NOT NULL,
    url             TEXT NOT NULL,
    host            TEXT NOT NULL,
    events          TEXT NOT NULL,
    secret          TEXT NOT NULL,
    previous        TEXT NOT NULL,
    previous_until  INTEGER,
    disabled_at     INTEGER,
    disabled_why    TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhooks_by_team ON webhooks (team, id);

-- One message to one target. target is an endpoint's id, or empty where url and secret came with the job. lane is the team, a space, and the host: what takes
-- turns. since is when it was made or replayed. due_at is when it is to be tried, and while a sender has it, under token, when its lease ends.
CREATE TABLE deliveries (
    id          TEXT PRIMARY KEY,
    message     TEXT NOT NULL,
    target      TEXT NOT NULL,
    team        TEXT NOT NULL,
    lane        TEXT NOT NULL,
    job         TEXT NOT NULL,
    event       TEXT NOT NULL,
    at          INTEGER NOT NULL,
    url         TEXT NOT NULL,
    secret      TEXT NOT NULL,
    trace       TEXT NOT NULL,
    payload     BLOB,
    status      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    token       TEXT NOT NULL,
    last_status INTEGER NOT NULL,
    last_error  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    UNIQUE (message, target)
) STRICT;

CREATE INDEX deliveries_due ON deliveries (lane, due_at) WHERE status = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (since) WHERE status = 'pending';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_by_team ON deliveries (team, created_at, id);
CREATE INDEX deliveries_by_job ON deliveries (job, created_at, id) WHERE job <> '';
CREATE INDEX deliveries_by_target ON deliveries (target, created_at, id) WHERE target <> '';

-- took is in microseconds; answer is the beginning of what the target said.
CREATE TABLE delivery_attempts (
    delivery TEXT NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    url      TEXT NOT NULL,
    took     INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    error    TEXT NOT NULL,
    detail   TEXT NOT NULL,
    answer   TEXT NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

-- How far what is told of has been read, by its kind.
CREATE TABLE delivery_cursors (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE delivery_cursors;
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE webhooks;

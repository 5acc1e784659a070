-- +goose Up

-- Counters move when what they name changes; processes poll them. key_changes moves with every key that is made, rotated or revoked.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('key_changes', 0);

-- Times are Unix microseconds, amounts nano-dollars. Secrets are not here: hash is the SHA-256 of one.
CREATE TABLE keys (
    id                  TEXT PRIMARY KEY,
    team                TEXT NOT NULL,
    name                TEXT NOT NULL,
    scopes              TEXT NOT NULL,
    prefix              TEXT NOT NULL,
    hash                BLOB NOT NULL UNIQUE,
    previous_hash       BLOB UNIQUE,
    previous_until      INTEGER,
    rate_limit_per_hour INTEGER,
    tokens_per_minute   INTEGER NOT NULL,
    max_concurrency     INTEGER NOT NULL,
    prompt_chars        INTEGER NOT NULL,
    models              TEXT NOT NULL,
    budget_nanos        INTEGER,
    budget_period       TEXT,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER,
    revoked_at          INTEGER,
    last_used_at        INTEGER,
    change              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_by_team ON keys (team, id);
CREATE INDEX keys_by_change ON keys (change);

-- A row without a status is a claim: owner works on it until lease_until.
CREATE TABLE idempotency (
    team         TEXT NOT NULL,
    key          TEXT NOT NULL,
    body         BLOB NOT NULL,
    owner        TEXT NOT NULL,
    lease_until  INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    status       INTEGER,
    content_type TEXT,
    response     BLOB,
    PRIMARY KEY (team, key)
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- +goose Down

DROP TABLE idempotency;
DROP TABLE keys;
DROP TABLE counters;

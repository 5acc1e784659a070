-- +goose Up

-- One row a request. Few indexes, because each costs every request; what is long stands last, so that lists do not read it.
-- Times are Unix microseconds, durations microseconds, amounts nano-dollars (null where unknown). flags: 1 cached, 2 coalesced.
CREATE TABLE requests (
    id                TEXT NOT NULL,
    client_id         TEXT NOT NULL,
    team              TEXT NOT NULL,
    key               TEXT NOT NULL,
    time              INTEGER NOT NULL,
    status            INTEGER NOT NULL,
    code              TEXT NOT NULL,
    validation_status TEXT NOT NULL,
    provider          TEXT NOT NULL,
    model             TEXT NOT NULL,
    schema            TEXT NOT NULL,
    schema_hash       TEXT NOT NULL,
    dialect_mode      TEXT NOT NULL,
    flags             INTEGER NOT NULL,
    language          TEXT NOT NULL,
    input_tokens      INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    cost              INTEGER,
    processing        INTEGER NOT NULL,
    overhead          INTEGER NOT NULL,
    attempts          TEXT,
    validation        TEXT,
    prompt            TEXT,
    answer            TEXT
) STRICT;

CREATE UNIQUE INDEX requests_by_id ON requests (id);
CREATE INDEX requests_by_team ON requests (team, time);

-- Sums by the hour (hours since 1970, UTC). They outlive the requests that went into them.
CREATE TABLE usage (
    team              TEXT NOT NULL,
    hour              INTEGER NOT NULL,
    key               TEXT NOT NULL,
    provider          TEXT NOT NULL,
    model             TEXT NOT NULL,
    schema            TEXT NOT NULL,
    requests          INTEGER NOT NULL,
    passed            INTEGER NOT NULL,
    cached            INTEGER NOT NULL,
    coalesced         INTEGER NOT NULL,
    input_tokens      INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    cost              INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    PRIMARY KEY (team, hour, key, provider, model, schema)
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE usage;
DROP TABLE requests;

-- +goose Up

-- schema_changes moves with every schema that is published, changed, withdrawn or restored.
INSERT INTO counters (name, value) VALUES ('schema_changes', 0);

-- Times are Unix microseconds. newest is the highest number that was given; revision counts the changes of the name.
CREATE TABLE schemas (
    team          TEXT NOT NULL,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    owner         TEXT NOT NULL,
    newest        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    withdrawn_at  INTEGER,
    revision      INTEGER NOT NULL,
    PRIMARY KEY (team, name)
) STRICT, WITHOUT ROWID;

-- hash is the content's SHA-256, schema the compact JSON as it was written. A version is never changed but for withdrawn_at.
CREATE TABLE schema_versions (
    team          TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    hash          BLOB NOT NULL,
    compatibility TEXT NOT NULL,
    owner         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    withdrawn_at  INTEGER,
    schema        TEXT NOT NULL,
    PRIMARY KEY (team, name, version)
) STRICT;

-- The newest version that can be used, with its hash, without reading the schemas themselves.
CREATE INDEX schema_versions_usable ON schema_versions (team, name, version, hash) WHERE withdrawn_at IS NULL;

-- +goose Down

DROP TABLE schema_versions;
DROP TABLE schemas;
DELETE FROM counters WHERE name = 'schema_changes';

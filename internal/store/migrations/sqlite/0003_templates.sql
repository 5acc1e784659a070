-- +goose Up

-- template_changes moves with every template that is published, changed, withdrawn or restored.
INSERT INTO counters (name, value) VALUES ('template_changes', 0);

-- Times are Unix microseconds. newest is the highest number that was given; revision counts the changes of the name.
CREATE TABLE templates (
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

-- hash is the content's SHA-256, content the compact JSON as it was written. A version is never changed but for withdrawn_at.
CREATE TABLE template_versions (
    team          TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    hash          BLOB NOT NULL,
    compatibility TEXT NOT NULL,
    owner         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    withdrawn_at  INTEGER,
    content       TEXT NOT NULL,
    PRIMARY KEY (team, name, version)
) STRICT;

-- The newest version that can be used, without reading the contents themselves.
CREATE INDEX template_versions_usable ON template_versions (team, name, version) WHERE withdrawn_at IS NULL;

-- +goose Down

DROP TABLE template_versions;
DROP TABLE templates;
DELETE FROM counters WHERE name = 'template_changes';

-- +goose Up

-- The processes of an installation, each as long as it says that it lives. roles are separated by commas; times are in Unix microseconds.
CREATE TABLE members (
    id         TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    roles      TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE members;

-- +goose Up

SET LOCAL lock_timeout = '2s';

-- The processes of an installation, each as long as it says that it lives. roles are separated by commas; times are in Unix microseconds. It has a handful of rows
-- that change all the time.
CREATE TABLE members (
    id         text COLLATE "C" PRIMARY KEY,
    host       text COLLATE "C" NOT NULL,
    roles      text COLLATE "C" NOT NULL,
    version    text COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500);

-- +goose Down

SET LOCAL lock_timeout = '2s';

DROP TABLE members;

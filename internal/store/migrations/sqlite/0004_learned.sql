-- +goose Up

-- What attempts have taught of a team's schema at a model; team and schema are empty in the rows of models over all schemas. Sums fade and have the weight beside
-- them that they are the sum of. Costs are nano-dollars, times nanoseconds; updated_at is in Unix microseconds.
CREATE TABLE learned (
    team       TEXT NOT NULL,
    schema     BLOB NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    name       TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    weight     REAL NOT NULL,
    passed     REAL NOT NULL,
    reasks     REAL NOT NULL,
    nano       REAL NOT NULL,
    priced     REAL NOT NULL,
    output     REAL NOT NULL,
    metred     REAL NOT NULL,
    took       REAL NOT NULL,
    timed      REAL NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (team, schema, provider, model)
) STRICT, WITHOUT ROWID;

CREATE INDEX learned_by_age ON learned (updated_at);

-- +goose Down

DROP TABLE learned;

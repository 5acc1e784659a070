-- +goose Up

-- What the keys of a team may use together; zero is no limit. A team without a row has none.
CREATE TABLE teams (
    name                TEXT PRIMARY KEY,
    rate_limit_per_hour INTEGER NOT NULL,
    tokens_per_minute   INTEGER NOT NULL,
    max_concurrency     INTEGER NOT NULL,
    budget_nanos        INTEGER,
    budget_period       TEXT,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was spent of a budget in a period, in nano-dollars. kind is key or team, period a date (2026-11-26) or a month (2026-11), in UTC.
CREATE TABLE budgets (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    period     TEXT NOT NULL,
    spent      INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id, period)
) STRICT, WITHOUT ROWID;

-- What a process holds of a budget until its lease ends: amount. booked is all that it has ever booked, so that a booking that is made twice counts once.
CREATE TABLE budget_leases (
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    period      TEXT NOT NULL,
    holder      TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    booked      INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (kind, id, period, holder)
) STRICT, WITHOUT ROWID;

-- Events budget.alert, each once in a period; ids count up and are never given twice.
CREATE TABLE budget_alerts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    payer       TEXT NOT NULL,
    team        TEXT NOT NULL,
    period      TEXT NOT NULL,
    threshold   INTEGER NOT NULL,
    limit_nanos INTEGER NOT NULL,
    spent       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (kind, payer, period, threshold)
) STRICT;

CREATE INDEX budget_alerts_by_team ON budget_alerts (team, id);

-- +goose Down

DROP TABLE budget_alerts;
DROP TABLE budget_leases;
DROP TABLE budgets;
DROP TABLE teams;

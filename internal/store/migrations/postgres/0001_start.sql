-- +goose Up

SET LOCAL lock_timeout = '2s';

-- Times are Unix microseconds, durations microseconds, amounts nano-dollars. Texts are compared byte by byte, in the order that the other engine has too.

-- The time of the statement by the database's clock, in Unix microseconds. Leases are taken and judged by it, whatever the clocks of the processes say. It is
-- the time before the statement waited for a lock: so a lease is never longer than was asked for, and none is called lapsed too early.
-- +goose StatementBegin
CREATE FUNCTION now_micros() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint
$$;
-- +goose StatementEnd

-- The least version of the tables that a program must know to work with these. A migration that takes something away raises it, one release after the
-- programs have ceased to use it; one that only adds leaves it.
CREATE TABLE compatibility (
    needs bigint NOT NULL
);

INSERT INTO compatibility (needs) VALUES (1);

-- Secrets that the processes of an installation share, made by the first that asks.
CREATE TABLE secrets (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- Counters move when what they name changes; processes poll them.
CREATE TABLE counters (
    name  text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO counters (name, value) VALUES ('key_changes', 0), ('schema_changes', 0), ('template_changes', 0), ('budget_alerts', 0);

-- Secrets are not here: hash is the SHA-256 of one.
CREATE TABLE keys (
    id                  text COLLATE "C" PRIMARY KEY,
    team                text COLLATE "C" NOT NULL,
    name                text COLLATE "C" NOT NULL,
    scopes              text COLLATE "C" NOT NULL,
    prefix              text COLLATE "C" NOT NULL,
    hash                bytea NOT NULL UNIQUE,
    previous_hash       bytea UNIQUE,
    previous_until      bigint,
    rate_limit_per_hour bigint,
    tokens_per_minute   bigint NOT NULL,
    max_concurrency     bigint NOT NULL,
    prompt_chars        bigint NOT NULL,
    models              text COLLATE "C" NOT NULL,
    budget_nanos        bigint,
    budget_period       text COLLATE "C",
    created_at          bigint NOT NULL,
    expires_at          bigint,
    revoked_at          bigint,
    last_used_at        bigint,
    change              bigint NOT NULL
);

CREATE INDEX keys_by_team ON keys (team, id);
CREATE INDEX keys_by_change ON keys (change);

-- What the keys of a team may use together; zero is no limit. A team without a row has none.
CREATE TABLE teams (
    name                text COLLATE "C" PRIMARY KEY,
    rate_limit_per_hour bigint NOT NULL,
    tokens_per_minute   bigint NOT NULL,
    max_concurrency     bigint NOT NULL,
    budget_nanos        bigint,
    budget_period       text COLLATE "C",
    created_at          bigint NOT NULL,
    updated_at          bigint NOT NULL
);

-- A row without a status is a claim: owner works on it until lease_until. Every row is written two or three times and deleted a day later.
CREATE TABLE idempotency (
    team         text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    body         bytea NOT NULL,
    owner        text COLLATE "C" NOT NULL,
    lease_until  bigint NOT NULL,
    created_at   bigint NOT NULL,
    status       bigint,
    content_type text COLLATE "C",
    response     bytea,
    PRIMARY KEY (team, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- newest is the highest number that was given; revision counts the changes of the name.
CREATE TABLE schemas (
    team          text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    description   text COLLATE "C" NOT NULL,
    compatibility text COLLATE "C" NOT NULL,
    owner         text COLLATE "C" NOT NULL,
    newest        bigint NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL,
    withdrawn_at  bigint,
    revision      bigint NOT NULL,
    PRIMARY KEY (team, name)
);

-- hash is the content's SHA-256, schema the compact JSON as it was written. A version is never changed but for withdrawn_at.
CREATE TABLE schema_versions (
    team          text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    version       bigint NOT NULL,
    hash          bytea NOT NULL,
    compatibility text COLLATE "C" NOT NULL,
    owner         text COLLATE "C" NOT NULL,
    created_at    bigint NOT NULL,
    withdrawn_at  bigint,
    schema        text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, name, version)
);

-- The newest version that can be used, with its hash, without reading the schemas themselves.
CREATE INDEX schema_versions_usable ON schema_versions (team, name, version) INCLUDE (hash) WHERE withdrawn_at IS NULL;

CREATE TABLE templates (LIKE schemas INCLUDING ALL);

CREATE TABLE template_versions (
    team          text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    version       bigint NOT NULL,
    hash          bytea NOT NULL,
    compatibility text COLLATE "C" NOT NULL,
    owner         text COLLATE "C" NOT NULL,
    created_at    bigint NOT NULL,
    withdrawn_at  bigint,
    content       text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, name, version)
);

CREATE INDEX template_versions_usable ON template_versions (team, name, version) INCLUDE (hash) WHERE withdrawn_at IS NULL;

-- What attempts have taught of a team's schema at a model; team and schema are empty in the rows of models over all schemas. Sums fade and have the weight
-- beside them that they are the sum of. Costs are nano-dollars, times nanoseconds.
CREATE TABLE learned (
    team       text COLLATE "C" NOT NULL,
    schema     bytea NOT NULL,
    provider   text COLLATE "C" NOT NULL,
    model      text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    attempts   bigint NOT NULL,
    weight     double precision NOT NULL,
    passed     double precision NOT NULL,
    reasks     double precision NOT NULL,
    nano       double precision NOT NULL,
    priced     double precision NOT NULL,
    output     double precision NOT NULL,
    metred     double precision NOT NULL,
    took       double precision NOT NULL,
    timed      double precision NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (team, schema, provider, model)
);

CREATE INDEX learned_by_age ON learned (updated_at);

-- What was spent of a budget in a period. kind is key or team, period a date (2026-11-26) or a month (2026-11), in UTC.
CREATE TABLE budgets (
    kind       text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    period     text COLLATE "C" NOT NULL,
    spent      bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (kind, id, period)
) WITH (fillfactor = 70);

-- What a process holds of a budget until its lease ends: amount. booked is all that it has ever booked, so that a booking that is made twice counts once.
CREATE TABLE budget_leases (
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    period      text COLLATE "C" NOT NULL,
    holder      text COLLATE "C" NOT NULL,
    amount      bigint NOT NULL,
    booked      bigint NOT NULL,
    lease_until bigint NOT NULL,
    PRIMARY KEY (kind, id, period, holder)
) WITH (fillfactor = 70);

-- Events budget.alert, each once in a period. Ids come from the counter budget_alerts and not from a sequence: whoever reads up to an id has seen every alert
-- below it, because the counter's row is locked until the transaction that took an id has ended.
CREATE TABLE budget_alerts (
    id          bigint PRIMARY KEY,
    kind        text COLLATE "C" NOT NULL,
    payer       text COLLATE "C" NOT NULL,
    team        text COLLATE "C" NOT NULL,
    period      text COLLATE "C" NOT NULL,
    threshold   bigint NOT NULL,
    limit_nanos bigint NOT NULL,
    spent       bigint NOT NULL,
    at          bigint NOT NULL,
    UNIQUE (kind, payer, period, threshold)
);

CREATE INDEX budget_alerts_by_team ON budget_alerts (team, id);

-- One row a request, in a partition a month, which the store makes ahead and drops whole. What belongs to no such month lies in requests_other. cost is null
-- where it is unknown. flags: 1 cached, 2 coalesced. template is the template that a request named, as name@version; empty without one.
CREATE TABLE requests (
    id                text COLLATE "C" NOT NULL,
    client_id         text COLLATE "C" NOT NULL,
    team              text COLLATE "C" NOT NULL,
    key               text COLLATE "C" NOT NULL,
    time              bigint NOT NULL,
    status            bigint NOT NULL,
    code              text COLLATE "C" NOT NULL,
    validation_status text COLLATE "C" NOT NULL,
    provider          text COLLATE "C" NOT NULL,
    model             text COLLATE "C" NOT NULL,
    schema            text COLLATE "C" NOT NULL,
    schema_hash       text COLLATE "C" NOT NULL,
    dialect_mode      text COLLATE "C" NOT NULL,
    flags             bigint NOT NULL,
    language          text COLLATE "C" NOT NULL,
    input_tokens      bigint NOT NULL,
    output_tokens     bigint NOT NULL,
    cached_tokens     bigint NOT NULL,
    cost              bigint,
    processing        bigint NOT NULL,
    overhead          bigint NOT NULL,
    attempts          text COLLATE "C",
    validation        text COLLATE "C",
    prompt            text COLLATE "C",
    answer            text COLLATE "C",
    template          text COLLATE "C" NOT NULL,
    -- An id has one time, so that both together are as unique as the id; a partitioned table can't promise the id alone.
    PRIMARY KEY (id, time)
) PARTITION BY RANGE (time);

CREATE INDEX requests_by_team ON requests (team, time, id);
CREATE INDEX requests_by_schema ON requests (team, schema, time) WHERE schema <> '';

CREATE TABLE requests_other PARTITION OF requests DEFAULT;

-- Sums by the hour (hours since 1970, UTC). They outlive the requests that went into them.
CREATE TABLE usage (
    team              text COLLATE "C" NOT NULL,
    hour              bigint NOT NULL,
    key               text COLLATE "C" NOT NULL,
    provider          text COLLATE "C" NOT NULL,
    model             text COLLATE "C" NOT NULL,
    schema            text COLLATE "C" NOT NULL,
    requests          bigint NOT NULL,
    passed            bigint NOT NULL,
    cached            bigint NOT NULL,
    coalesced         bigint NOT NULL,
    input_tokens      bigint NOT NULL,
    output_tokens     bigint NOT NULL,
    cached_tokens     bigint NOT NULL,
    cost              bigint NOT NULL,
    unpriced_requests bigint NOT NULL,
    PRIMARY KEY (team, hour, key, provider, model, schema)
) WITH (fillfactor = 70);

-- +goose Down

SET LOCAL lock_timeout = '2s';

DROP TABLE usage, requests, budget_alerts, budget_leases, budgets, learned, template_versions, templates, schema_versions, schemas, idempotency, teams, keys,
    counters, secrets, compatibility;
DROP FUNCTION now_micros();

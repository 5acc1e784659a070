-- +goose Up

SET LOCAL lock_timeout = '2s';

-- Times are Unix microseconds. events holds names with a space before and behind each, or nothing, which is all of them. Secrets are here as they are: they sign.
CREATE TABLE webhooks (
    id             text COLLATE "C" PRIMARY KEY,
    team           text COLLATE "C" NOT NULL,
    url            text COLLATE "C" NOT NULL,
    host           text COLLATE "C" NOT NULL,
    events         text COLLATE "C" NOT NULL,
    secret         text COLLATE "C" NOT NULL,
    previous       text COLLATE "C" NOT NULL,
    previous_until bigint,
    disabled_at    bigint,
    disabled_why   text COLLATE "C" NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL
);

CREATE INDEX webhooks_by_team ON webhooks (team, id);

-- One message to one target. target is an endpoint's id, or empty where url and secret came with the job. lane is the team, a space, and the host: what takes
-- turns. since is when it was made or replayed. due_at is when it is to be tried, and while a sender has it, under token, when its lease ends.
-- Rows are changed a few times and then rest: free space on their pages lets the first changes stay on them.
CREATE TABLE deliveries (
    id          text COLLATE "C" PRIMARY KEY,
    message     text COLLATE "C" NOT NULL,
    target      text COLLATE "C" NOT NULL,
    team        text COLLATE "C" NOT NULL,
    lane        text COLLATE "C" NOT NULL,
    job         text COLLATE "C" NOT NULL,
    event       text COLLATE "C" NOT NULL,
    at          bigint NOT NULL,
    url         text COLLATE "C" NOT NULL,
    secret      text COLLATE "C" NOT NULL,
    trace       text COLLATE "C" NOT NULL,
    payload     bytea,
    status      text COLLATE "C" NOT NULL,
    attempts    bigint NOT NULL,
    tries       bigint NOT NULL,
    since       bigint NOT NULL,
    due_at      bigint NOT NULL,
    token       text COLLATE "C" NOT NULL,
    last_status bigint NOT NULL,
    last_error  text COLLATE "C" NOT NULL,
    created_at  bigint NOT NULL,
    ended_at    bigint,
    UNIQUE (message, target)
) WITH (fillfactor = 80);

CREATE INDEX deliveries_due ON deliveries (lane, due_at) WHERE status = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (since) WHERE status = 'pending';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_by_team ON deliveries (team, created_at, id);
CREATE INDEX deliveries_by_job ON deliveries (job, created_at, id) WHERE job <> '';
CREATE INDEX deliveries_by_target ON deliveries (target, created_at, id) WHERE target <> '';

-- took is in microseconds; answer is the beginning of what the target said.
CREATE TABLE delivery_attempts (
    delivery text COLLATE "C" NOT NULL,
    n        bigint NOT NULL,
    at       bigint NOT NULL,
    url      text COLLATE "C" NOT NULL,
    took     bigint NOT NULL,
    status   bigint NOT NULL,
    error    text COLLATE "C" NOT NULL,
    detail   text COLLATE "C" NOT NULL,
    answer   text COLLATE "C" NOT NULL,
    PRIMARY KEY (delivery, n)
);

-- How far what is told of has been read, by its kind.
CREATE TABLE delivery_cursors (
    name  text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
);

-- +goose Down

DROP TABLE delivery_cursors, delivery_attempts, deliveries, webhooks;

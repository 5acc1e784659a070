-- +goose Up

-- Requests with a registered schema, for its fitness report and for lists of its requests. The others are not in it and cost nothing.
CREATE INDEX requests_by_schema ON requests (team, schema, time) WHERE schema <> '';

-- +goose Down

DROP INDEX requests_by_schema;

-- +goose Up

-- The template that a request named, as name@version; empty without one. It stands behind the long texts, and is read with them alone.
ALTER TABLE requests ADD COLUMN template TEXT NOT NULL DEFAULT '';

-- +goose Down

ALTER TABLE requests DROP COLUMN template;

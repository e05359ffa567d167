-- The change that a change undid, so that the ledger tells of each whether it is in force.
ALTER TABLE changes ADD COLUMN undoes INTEGER REFERENCES changes (revision);
CREATE INDEX changes_by_undone ON changes (undoes, revision) WHERE undoes IS NOT NULL;

-- Whether a request in clear that carries credentials is redirected where others are; NULL is inherited, as ever.
ALTER TABLE ssl_rules ADD COLUMN clear_credentials TEXT;

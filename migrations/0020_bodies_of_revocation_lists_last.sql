-- SQLite reads a row from its beginning: what stood behind a body of up to 16 MB was found page by page.
CREATE TABLE revocation_lists_with_body_last (
    ca_id       INTEGER PRIMARY KEY REFERENCES trusted_cas (id) ON DELETE CASCADE,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    number      BLOB,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    revoked     INTEGER NOT NULL,
    taken_at    INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;
INSERT INTO revocation_lists_with_body_last (ca_id, digest, number, this_update, next_update, revoked, taken_at, body)
SELECT ca_id, digest, number, this_update, next_update, revoked, taken_at, body FROM revocation_lists;
DROP TABLE revocation_lists;
ALTER TABLE revocation_lists_with_body_last RENAME TO revocation_lists;

-- An authority may be signed by another one, and says where its documents are fetched from.
ALTER TABLE authorities ADD COLUMN parent_id INTEGER REFERENCES authorities (id);
ALTER TABLE authorities ADD COLUMN predecessor_id INTEGER REFERENCES authorities (id) ON DELETE SET NULL;
-- host[:port], reached over http; '' writes no address into certificates.
ALTER TABLE authorities ADD COLUMN address TEXT NOT NULL DEFAULT '';
CREATE INDEX authorities_by_parent ON authorities (parent_id);

-- Earlier certificates of an authority, for the same key and name: they stay valid beside the newest.
CREATE TABLE former_certificates (
    authority_id INTEGER NOT NULL REFERENCES authorities (id) ON DELETE CASCADE,
    replaced_at  INTEGER NOT NULL,
    der          BLOB    NOT NULL,
    PRIMARY KEY (authority_id, replaced_at)
) STRICT, WITHOUT ROWID;

-- Everything an authority signed. reason is a number of RFC 5280 section 5.3.1.
CREATE TABLE issued (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    authority_id INTEGER NOT NULL REFERENCES authorities (id) ON DELETE CASCADE,
    serial       BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    names        TEXT    NOT NULL,
    der          BLOB    NOT NULL,
    not_before   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    issued_at    INTEGER NOT NULL,
    issued_by    TEXT    NOT NULL,
    revoked_at   INTEGER,
    revoked_by   TEXT,
    reason       INTEGER,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (reason IS NULL)),
    UNIQUE (authority_id, serial)
) STRICT;
CREATE INDEX issued_by_expiry ON issued (authority_id, not_after);
CREATE INDEX issued_revoked ON issued (authority_id, not_after) WHERE revoked_at IS NOT NULL;

-- What Siteward itself publishes over http, by the key it belongs to. The generation grows with every write, so that
-- each process finds what it lacks, and it is the number of a revocation list. An empty body was taken back.
CREATE TABLE documents (
    key_id     BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    made_at    INTEGER NOT NULL,
    generation INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (key_id, kind)
) STRICT, WITHOUT ROWID;

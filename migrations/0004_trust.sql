-- Roots that the team trusts beside those of the system.
CREATE TABLE trusted_roots (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    der         BLOB    NOT NULL,
    added_at    INTEGER NOT NULL,
    added_by    TEXT    NOT NULL
) STRICT;

-- Every CA certificate that came with something installed, found by its subject: a later reply may leave it out.
CREATE TABLE issuers (
    fingerprint BLOB    PRIMARY KEY CHECK (length(fingerprint) = 32),
    subject     BLOB    NOT NULL CHECK (length(subject) = 32),
    der         BLOB    NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX issuers_by_subject ON issuers (subject);

-- Lists of CAs whose client certificates open places of sites.
CREATE TABLE trust_lists (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    when_stale TEXT    NOT NULL CHECK (when_stale IN ('closed', 'open')),
    version    INTEGER NOT NULL
) STRICT;

-- A CA on a list: an uploaded certificate, or one of Siteward's own authorities, which `authorities` holds. crl says where
-- it is known from what it revoked; address only where that is fetched. What became of fetching is no change of anybody's.
CREATE TABLE trusted_cas (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id        INTEGER NOT NULL REFERENCES trust_lists (id) ON DELETE CASCADE,
    authority_id   INTEGER REFERENCES authorities (id),
    der            BLOB,
    fingerprint    BLOB CHECK (length(fingerprint) = 32),
    crl            TEXT    NOT NULL CHECK (crl IN ('none', 'uploaded', 'fetched', 'own')),
    address        TEXT    NOT NULL,
    fetched_at     INTEGER,
    fetch_due_at   INTEGER,
    fetch_failures INTEGER NOT NULL DEFAULT 0,
    fetch_error    TEXT,
    CHECK ((authority_id IS NULL) = (der IS NOT NULL) AND (der IS NULL) = (fingerprint IS NULL)),
    CHECK ((authority_id IS NULL) = (crl <> 'own') AND (crl = 'fetched') = (address <> '')),
    UNIQUE (list_id, fingerprint),
    UNIQUE (list_id, authority_id)
) STRICT;
CREATE INDEX trusted_cas_by_authority ON trusted_cas (authority_id);
CREATE INDEX trusted_cas_by_due ON trusted_cas (fetch_due_at) WHERE crl = 'fetched';

-- The newest revocation list of a CA, proven by its key. number is big end first.
CREATE TABLE revocation_lists (
    ca_id       INTEGER PRIMARY KEY REFERENCES trusted_cas (id) ON DELETE CASCADE,
    body        BLOB    NOT NULL,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    number      BLOB,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    revoked     INTEGER NOT NULL,
    taken_at    INTEGER NOT NULL
) STRICT;

-- Whom a list lets in: who meets any of its rules, and everybody where it has none.
CREATE TABLE allow_rules (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id INTEGER NOT NULL REFERENCES trust_lists (id) ON DELETE CASCADE,
    field   TEXT    NOT NULL,
    pattern TEXT    NOT NULL,
    UNIQUE (list_id, field, pattern)
) STRICT;

-- Grows with every write that concerns a list, so that each process finds what it lacks. It outlives its list.
CREATE TABLE trust_generations (
    list_id    INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL UNIQUE
) STRICT;

ALTER TABLE ssl_rules ADD COLUMN trust_list_id INTEGER REFERENCES trust_lists (id);
CREATE INDEX ssl_rules_by_trust_list ON ssl_rules (trust_list_id) WHERE trust_list_id IS NOT NULL;

-- Times are whole milliseconds since 1970-01-01T00:00:00Z. Digests are SHA-256.

-- The ledger: audit log, and the feed by which every process on this file catches up.
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    user_id  INTEGER,
    author   TEXT    NOT NULL,
    summary  TEXT    NOT NULL,
    thing    TEXT    NOT NULL CHECK (thing IN ('site', 'binding', 'request', 'certificate', 'authority', 'user')),
    thing_id INTEGER NOT NULL,
    site_id  INTEGER,
    before   TEXT,
    after    TEXT
) STRICT;
CREATE INDEX changes_by_site ON changes (site_id, revision);
CREATE INDEX changes_by_author ON changes (author, revision);
CREATE INDEX changes_by_thing ON changes (thing, thing_id, revision);

-- Which sites a change touched, so that the next table is made from these alone.
CREATE TABLE touched_sites (
    revision INTEGER NOT NULL REFERENCES changes (revision),
    site_id  INTEGER NOT NULL,
    PRIMARY KEY (revision, site_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sites (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    folder      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('running', 'stopped')),
    require_ssl TEXT    NOT NULL CHECK (require_ssl IN ('off', 'refuse', 'redirect')),
    version     INTEGER NOT NULL
) STRICT;

-- One row per key pair; the id is the digest of its public key, and the associated data of the seal.
CREATE TABLE keys (
    id     BLOB PRIMARY KEY CHECK (length(id) = 32),
    kind   TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    friendly_name TEXT    NOT NULL,
    key_id        BLOB    NOT NULL REFERENCES keys (id),
    fingerprint   BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    subject       TEXT    NOT NULL,
    issuer        TEXT    NOT NULL,
    names         TEXT    NOT NULL CHECK (json_valid(names)),
    not_before    INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    installed_at  INTEGER NOT NULL,
    installed_by  TEXT    NOT NULL
) STRICT;
CREATE INDEX certificates_by_expiry ON certificates (not_after);

-- Leaf first (position 0), then the issuers that are sent along.
CREATE TABLE chains (
    certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    der            BLOB    NOT NULL,
    PRIMARY KEY (certificate_id, position)
) STRICT, WITHOUT ROWID;

-- ip is '' for all addresses, host is '' for any host name.
CREATE TABLE bindings (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id        INTEGER NOT NULL REFERENCES sites (id),
    protocol       TEXT    NOT NULL CHECK (protocol IN ('http', 'https')),
    ip             TEXT    NOT NULL,
    port           INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    host           TEXT    NOT NULL,
    certificate_id INTEGER REFERENCES certificates (id),
    CHECK ((protocol = 'https') = (certificate_id IS NOT NULL)),
    UNIQUE (port, host, ip)
) STRICT;
CREATE INDEX bindings_by_site ON bindings (site_id);
CREATE INDEX bindings_by_certificate ON bindings (certificate_id);
CREATE INDEX bindings_by_port ON bindings (port, protocol);

CREATE TABLE requests (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id        INTEGER REFERENCES sites (id) ON DELETE SET NULL,
    friendly_name  TEXT    NOT NULL,
    key_id         BLOB    NOT NULL REFERENCES keys (id),
    subject        TEXT    NOT NULL CHECK (json_valid(subject)),
    csr            BLOB    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('pending', 'completed', 'withdrawn')),
    certificate_id INTEGER REFERENCES certificates (id) ON DELETE SET NULL,
    created_at     INTEGER NOT NULL,
    created_by     TEXT    NOT NULL
) STRICT;
CREATE INDEX requests_by_key ON requests (key_id);
CREATE INDEX requests_by_site ON requests (site_id);
CREATE INDEX requests_by_certificate ON requests (certificate_id);

CREATE TABLE authorities (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    key_id     BLOB    NOT NULL REFERENCES keys (id),
    der        BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    mail          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL,
    theme         TEXT    NOT NULL DEFAULT 'system' CHECK (theme IN ('system', 'light', 'dark')),
    created_at    INTEGER NOT NULL
) STRICT;

-- Only digests of tokens are kept: whoever reads the file can't sign in with it.
CREATE TABLE invitations (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    token_digest BLOB    NOT NULL UNIQUE CHECK (length(token_digest) = 32),
    user_id      INTEGER REFERENCES users (id) ON DELETE CASCADE,
    invited_by   TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX invitations_by_user ON invitations (user_id);

CREATE TABLE sessions (
    token_digest BLOB    PRIMARY KEY CHECK (length(token_digest) = 32),
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- A known text sealed under the master key: tells a wrong key from a damaged database.
CREATE TABLE vault_check (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;

-- Whose word about a visitor is believed, listener by listener: addresses and networks, one a line. ip is '' for all
-- addresses. A listener where nobody is believed any more keeps its row: its version still guards edits, and tells other
-- processes of the change.
CREATE TABLE proxies (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    port     INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    ip       TEXT    NOT NULL,
    speech   TEXT    NOT NULL,
    networks TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    UNIQUE (port, ip)
) STRICT;
CREATE INDEX proxies_by_version ON proxies (version);

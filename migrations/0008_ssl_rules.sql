-- What a place of a site demands of a connection; NULL is inherited. The path '' is the whole site: each site has that
-- row, and one without it is not served.
CREATE TABLE ssl_rules (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id             INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    path                TEXT    NOT NULL,
    require_ssl         TEXT,
    min_tls             TEXT,
    strength            TEXT,
    key_exchange        TEXT,
    client_certificates TEXT,
    reason              TEXT    NOT NULL,
    UNIQUE (site_id, path)
) STRICT;
INSERT INTO ssl_rules (site_id, path, require_ssl, reason) SELECT id, '', require_ssl, '' FROM sites;
ALTER TABLE sites DROP COLUMN require_ssl;

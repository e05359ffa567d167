-- What CAs look for in clear, answered also where a site requires SSL. One with an end ends by itself.
CREATE TABLE exemptions (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL CHECK (kind IN ('acme', 'file')),
    name    TEXT    NOT NULL,
    content TEXT    NOT NULL,
    ends_at INTEGER,
    UNIQUE (site_id, kind, name)
) STRICT;

-- What a site tells browsers about HTTPS (RFC 6797); a site without a row tells nothing. Browsers may remember what was
-- told before `since` until `remembered_until`.
CREATE TABLE hsts (
    site_id          INTEGER PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
    mode             TEXT    NOT NULL CHECK (mode IN ('ramp', 'fixed', 'unwind')),
    max_age          INTEGER NOT NULL,
    subdomains       INTEGER NOT NULL,
    preload          INTEGER NOT NULL,
    since            INTEGER NOT NULL,
    remembered_until INTEGER NOT NULL
) STRICT;

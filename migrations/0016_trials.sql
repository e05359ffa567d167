-- SSL settings that are judged beside those in force and reported only, at one place of a site; the path '' is the whole
-- site. What they would have refused is counted with the traffic.
CREATE TABLE trials (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id  INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    path     TEXT    NOT NULL,
    settings TEXT    NOT NULL CHECK (json_valid(settings)),
    reason   TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    author   TEXT    NOT NULL,
    UNIQUE (site_id, path)
) STRICT;

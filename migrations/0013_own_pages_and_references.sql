-- What a site shows instead of the built-in page for a status: a file of its folder. The substatus 0 stands for all of a
-- status that have none of their own.
CREATE TABLE pages (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id   INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    status    INTEGER NOT NULL,
    substatus INTEGER NOT NULL,
    path      TEXT    NOT NULL,
    UNIQUE (site_id, status, substatus)
) STRICT;

-- What a visitor may ask about who reads out the reference of a refusal page. The newest ones only, and never who in
-- person. The rule is the one that decided, as it was then.
CREATE TABLE refused (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    reference   TEXT    NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    listener    TEXT    NOT NULL,
    server_name TEXT,
    host        TEXT,
    site_id     INTEGER,
    path        TEXT    NOT NULL,
    transport   TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    rule_id     INTEGER,
    place       TEXT,
    setting     TEXT,
    value       TEXT,
    agent       TEXT    NOT NULL,
    network     TEXT    NOT NULL
) STRICT;
CREATE INDEX refused_by_time ON refused (at);

-- The kinds of things the ledger knows are `ledger::Thing`; a list here would have to be kept in step with it.
CREATE TABLE kept_touched_sites AS SELECT revision, site_id FROM touched_sites;
DROP TABLE touched_sites;
ALTER TABLE changes RENAME TO kept_changes;

CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    user_id  INTEGER,
    author   TEXT    NOT NULL,
    summary  TEXT    NOT NULL,
    thing    TEXT    NOT NULL,
    thing_id INTEGER NOT NULL,
    site_id  INTEGER,
    before   TEXT,
    after    TEXT
) STRICT;
INSERT INTO changes SELECT revision, at, user_id, author, summary, thing, thing_id, site_id, before, after FROM kept_changes;
DROP TABLE kept_changes;
CREATE INDEX changes_by_site ON changes (site_id, revision);
CREATE INDEX changes_by_author ON changes (author, revision);
CREATE INDEX changes_by_thing ON changes (thing, thing_id, revision);

CREATE TABLE touched_sites (
    revision INTEGER NOT NULL REFERENCES changes (revision),
    site_id  INTEGER NOT NULL,
    PRIMARY KEY (revision, site_id)
) STRICT, WITHOUT ROWID;
INSERT INTO touched_sites SELECT revision, site_id FROM kept_touched_sites;
DROP TABLE kept_touched_sites;

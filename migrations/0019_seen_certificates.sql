-- Client certificates that came and led to a CA of a trust list, so that it can be told whom a change of the list would turn
-- away: the newest of each list, each once. sent is what the client showed, its own certificate first, one after the other.
CREATE TABLE seen_certificates (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id     INTEGER NOT NULL REFERENCES trust_lists (id) ON DELETE CASCADE,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    sent        BLOB    NOT NULL,
    subject     TEXT    NOT NULL,
    last_at     INTEGER NOT NULL,
    UNIQUE (list_id, fingerprint)
) STRICT;
CREATE INDEX seen_certificates_by_time ON seen_certificates (last_at);

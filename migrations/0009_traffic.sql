-- What came to a site within one hour (hours since 1970-01-01T00:00Z), as `traffic::Tally` writes it. Site 0 stands for
-- what led to no site. Rows go with their age, so that deleting a site costs the same however busy it was.
CREATE TABLE traffic (
    site_id INTEGER NOT NULL,
    hour    INTEGER NOT NULL,
    source  TEXT    NOT NULL CHECK (source IN ('recorded', 'imported')),
    tally   TEXT    NOT NULL CHECK (json_valid(tally)),
    PRIMARY KEY (site_id, hour, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX traffic_by_hour ON traffic (hour);

-- Credentials that came in clear to a place that requires SSL: whose, never which. An empty agent stands for all others.
CREATE TABLE leaks (
    site_id     INTEGER NOT NULL,
    credentials TEXT    NOT NULL CHECK (credentials IN ('cookie', 'authorization', 'both')),
    agent       TEXT    NOT NULL,
    network     TEXT    NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    requests    INTEGER NOT NULL,
    PRIMARY KEY (site_id, credentials, agent, network)
) STRICT, WITHOUT ROWID;

-- Each time a binding went from one certificate to another. A switch is open until fresh clients have seen the new
-- certificate on every binding of it, or it was taken back.
CREATE TABLE switches (
    revision       INTEGER NOT NULL,
    binding_id     INTEGER NOT NULL,
    certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    previous_id    INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    at             INTEGER NOT NULL,
    -- Somebody confirmed what speaks against the certificate there, so Siteward does not take it back by itself.
    confirmed      INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
    proven_at      INTEGER,
    taken_back_at  INTEGER,
    -- What a fresh client said, where it was taken back.
    fault          TEXT,
    PRIMARY KEY (revision, binding_id),
    CHECK ((taken_back_at IS NULL) = (fault IS NULL)),
    CHECK (proven_at IS NULL OR taken_back_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX switches_by_binding ON switches (binding_id, revision);
CREATE INDEX switches_open ON switches (binding_id) WHERE proven_at IS NULL AND taken_back_at IS NULL;
CREATE INDEX switches_taken_back ON switches (revision) WHERE taken_back_at IS NOT NULL;
CREATE INDEX switches_by_certificate ON switches (certificate_id);
CREATE INDEX switches_by_previous ON switches (previous_id);

-- Who looks after a certificate, what the team notes about it, and which one it takes the place of.
ALTER TABLE certificates ADD COLUMN owner_id INTEGER REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE certificates ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- The revision of the last edit of name, owner or note.
ALTER TABLE certificates ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN renews INTEGER REFERENCES certificates (id) ON DELETE SET NULL;
CREATE INDEX certificates_by_owner ON certificates (owner_id);
CREATE INDEX certificates_by_renews ON certificates (renews);

-- The certificate whose place the reply takes.
ALTER TABLE requests ADD COLUMN renews INTEGER REFERENCES certificates (id) ON DELETE SET NULL;
CREATE INDEX requests_by_renews ON requests (renews);

-- Private keys leave only through people who may take them. The first person may, and passes it on.
ALTER TABLE users ADD COLUMN may_export_keys INTEGER NOT NULL DEFAULT 0 CHECK (may_export_keys IN (0, 1));
UPDATE users SET may_export_keys = 1 WHERE id = (SELECT min(id) FROM users);

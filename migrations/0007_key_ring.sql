-- One known text for each master key in use. The newest seals; while there is another, its key is being replaced.
CREATE TABLE vault_checks (
    id     INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
INSERT INTO vault_checks SELECT id, sealed FROM vault_check;
DROP TABLE vault_check;

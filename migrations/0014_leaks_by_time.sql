-- Leaks go with their age, as traffic does, and with their site.
CREATE INDEX leaks_by_time ON leaks (last_at);
DELETE FROM leaks WHERE site_id NOT IN (SELECT id FROM sites);

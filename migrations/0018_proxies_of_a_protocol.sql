-- What a port spoke when its proxies were listed: whoever is believed over https is not therefore believed in clear.
ALTER TABLE proxies ADD COLUMN protocol TEXT NOT NULL DEFAULT 'http';
UPDATE proxies SET protocol = coalesce((SELECT protocol FROM bindings WHERE bindings.port = proxies.port LIMIT 1), 'http');

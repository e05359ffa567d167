-- Which refused requests of one network, or of no site, are the oldest.
CREATE INDEX refused_by_network ON refused (network, number);
CREATE INDEX refused_without_site ON refused (number) WHERE site_id IS NULL;

-- Which refused requests of one network are the oldest.
CREATE INDEX refused_by_network ON refused (network, number);

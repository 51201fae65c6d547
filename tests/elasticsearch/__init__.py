"""A small Elasticsearch 9: no server of it is at hand, so its documented bodies, headers and refusals are here."""

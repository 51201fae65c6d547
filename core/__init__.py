"""Values, interfaces, errors and settings, the search pipeline, and indexing."""

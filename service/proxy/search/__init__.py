"""Searches on their way to OpenSearch: which are re-ranked, and how."""

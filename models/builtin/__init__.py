"""Models that ship with the product: one folder each, found by their rerank.json."""

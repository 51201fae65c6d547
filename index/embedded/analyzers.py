"""LanceDB full-text configurations of the text analyzers that the setting `analyzer` can name."""

from __future__ import annotations

from lancedb.index import FTS

ANALYZERS = {
    "standard": FTS(
        stem=False, remove_stop_words=False, ascii_folding=False, with_position=False, max_token_length=255
    ),
    "english": FTS(language="English", ascii_folding=False, with_position=False, max_token_length=255),
    "italian": FTS(language="Italian", ascii_folding=False, with_position=False, max_token_length=255),
}

"""The words of a query, on both stores: what a text search looks for, and never a query language."""

from __future__ import annotations

import re

MAX_WORDS = 1_000
"""Words of a query that are looked for: OpenSearch takes 1,024 clauses by default, and a word can become two."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def query_words(text: str) -> list[str]:
    """The distinct words of *text*, first ones first, at most MAX_WORDS; punctuation is nothing to look for."""
    return list(dict.fromkeys(_WORD.findall(text)))[:MAX_WORDS]

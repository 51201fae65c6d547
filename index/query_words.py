"""Words of a query for text search. Neither store interprets the query text as a query language."""

from __future__ import annotations

import re

MAX_WORDS = 1_000
"""OpenSearch accepts 1,024 clauses by default, and the analyzer can split a word in two."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def query_words(text: str) -> list[str]:
    """Returns the first MAX_WORDS distinct words of *text*, in order, without punctuation."""
    return list(dict.fromkeys(_WORD.findall(text)))[:MAX_WORDS]

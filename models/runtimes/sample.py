"""Sample of questions and paragraphs in Italian and English, for measurements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("sample.jsonl")


@dataclass(frozen=True)
class SamplePair:
    """A question and the paragraph that answers it."""

    query: str
    passage: str


@cache
def sample() -> tuple[SamplePair, ...]:
    """Returns 24 Italian pairs, then 24 English pairs. Their source is in sample.NOTICE."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(SamplePair(line["query"], line["passage"]) for line in map(json.loads, lines))

"""Questions and the paragraphs that answer them, Italian and English: what ranges and speeds are measured on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("sample.jsonl")


@dataclass(frozen=True)
class SamplePair:
    """A question and its paragraph."""

    query: str
    passage: str


@cache
def sample() -> tuple[SamplePair, ...]:
    """24 pairs in Italian, then 24 in English (sample.NOTICE says where they come from)."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(SamplePair(said["query"], said["passage"]) for said in map(json.loads, lines))

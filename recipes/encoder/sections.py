"""Rows of the sections set: which are held out, how a heading becomes a query, and how sources are sampled."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recipes.encoder.files import Row, read_rows

HELD_OUT_PAIRS = 1000
_HELD_OUT_OF_A_SOURCE = 150
_LATEST_PART = 2
"""Later parts of long sections often leave the topic of the heading."""
_WEAK_SOURCES = frozenset({"costituzione-it", "factbook", "srd-5e", "caf-it"})
_SHORT = 3


def digest(text: str) -> int:
    """Returns a stable number for *text*."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[-8:], "big")


def section(row_id: str) -> str:
    """Returns a row's section: its id without the number of the part."""
    source, _, number = row_id.partition("/")
    return f"{source}/{number.split('.')[0]}"


@dataclass(frozen=True)
class Sections:
    """All rows by id, and the linked pairs kept out of training."""

    rows: dict[str, Row]

    @classmethod
    def read(cls, folder: Path) -> Sections:
        """Reads every file of *folder*."""
        rows = (row for path in sorted(folder.glob("*.jsonl.xz")) for row in read_rows(path))
        return cls({row["id"]: row for row in rows})

    @cached_property
    def linked(self) -> list[Row]:
        """Italian rows whose English original is here."""
        return [row for row in self.rows.values() if row.get("en_id") in self.rows]

    @cached_property
    def held_out(self) -> list[Row]:
        """The Italian rows of the linked pairs kept out of training: one a section, few of one source."""
        taken: dict[str, int] = defaultdict(int)
        sections: set[str] = set()
        chosen: list[Row] = []
        for row in sorted(self.linked, key=lambda row: digest(row["id"])):
            here = section(row["en_id"])
            if here in sections or taken[row["source"]] == _HELD_OUT_OF_A_SOURCE:
                continue
            sections.add(here)
            taken[row["source"]] += 1
            chosen.append(row)
            if len(chosen) == HELD_OUT_PAIRS:
                break
        return chosen

    @cached_property
    def held_out_sections(self) -> frozenset[str]:
        """Sections of both languages that training must not read."""
        pairs = [(section(row["id"]), section(row["en_id"])) for row in self.held_out]
        ours = {part for pair in pairs for part in pair}
        # Another Italian row can link to the same English section.
        more = {section(row["id"]) for row in self.linked if section(row["en_id"]) in ours}
        return frozenset(ours | more)

    def trainable(self, language: str) -> list[Row]:
        """Returns the rows of a language that training may read."""
        return [row for row in self.rows.values() if row["lang"] == language and self._trains(row)]

    def _trains(self, row: Row) -> bool:
        return (
            section(row["id"]) not in self.held_out_sections
            and int(row.get("part") or 1) <= _LATEST_PART
            and row["source"] not in _WEAK_SOURCES
        )


def sampled(rows: Iterable[Row], count: int, draw: random.Random) -> list[Row]:
    """Returns *count* rows in random order, each source in proportion to the square root of its size."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    places: list[tuple[float, str, int]] = []
    for source, own in by_source.items():
        draw.shuffle(own)
        # The k-th row of a source with n rows comes at about k / sqrt(n).
        places += [((k + draw.random()) / len(own) ** 0.5, source, k) for k in range(len(own))]
    places.sort()
    chosen = [by_source[source][k] for _, source, k in places[:count]]
    draw.shuffle(chosen)
    return chosen


def as_query(row: Row, draw: random.Random) -> str:
    """Returns a heading as a query, with one or two of its parents where it is short or by chance."""
    query = str(row["query"]).strip()
    parents = [parent.strip() for parent in str(row.get("context") or "").split(" > ") if parent.strip()]
    parents = [parent for parent in parents if parent.lower() not in query.lower()]
    bare = row["kind"] in ("question", "task", "title") and draw.random() < 0.75
    if not parents or (bare and len(query.split()) > _SHORT):
        return query
    joined = parents[-2:] if draw.random() < 0.4 else parents[-1:]
    form = draw.random()
    if form < 0.4:
        return " ".join([query, *reversed(joined)])
    if form < 0.7:
        return f"{': '.join(joined)}: {query}"
    return " ".join([*joined, query])


def as_passage(row: Row, draw: random.Random) -> str:
    """Returns the passage, by chance under its outermost parent as a title."""
    title = str(row.get("context") or "").split(" > ")[0].strip()
    return f"{title} {row['passage']}" if title and draw.random() < 0.2 else str(row["passage"])


def without_repeats(rows: Sequence[Row]) -> list[Row]:
    """Returns one row of each section."""
    seen: set[str] = set()
    kept: list[Row] = []
    for row in rows:
        if (here := section(row["id"])) not in seen:
            seen.add(here)
            kept.append(row)
    return kept

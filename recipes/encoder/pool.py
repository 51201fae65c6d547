"""The different texts of the training examples, in a fixed order, so that vectors can be kept beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recipes.encoder.files import Row, read_rows

Kind = Literal["query", "passage"]


@dataclass(frozen=True)
class Pool:
    """Examples, and the numbers of their texts."""

    examples: list[Row]
    queries: dict[str, int]
    passages: dict[str, int]
    english_queries: list[int]
    english_passages: list[int]

    @classmethod
    def read(cls, path: Path) -> Pool:
        """Reads the output of `collect`."""
        examples = list(read_rows(path))
        queries: dict[str, int] = {}
        passages: dict[str, int] = {}
        english_queries: set[int] = set()
        english_passages: set[int] = set()
        for row in examples:
            asked, _, answered = row["group"].partition("-")
            number = queries.setdefault(row["query"], len(queries))
            if asked == "en":
                english_queries.add(number)
            if twin := row.get("twin"):
                english_queries.add(queries.setdefault(twin, len(queries)))
            place = passages.setdefault(row["passage"], len(passages))
            if (answered or asked) == "en":
                english_passages.add(place)
        return cls(examples, queries, passages, sorted(english_queries), sorted(english_passages))

    def texts(self, kind: Kind, *, english: bool) -> tuple[list[int], list[str]]:
        """Returns the numbers and the texts of one kind, of all languages or in English only."""
        known = list(self.queries if kind == "query" else self.passages)
        numbers = list(range(len(known)))
        if english:
            numbers = self.english_queries if kind == "query" else self.english_passages
        return numbers, [known[number] for number in numbers]

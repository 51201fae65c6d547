"""Small corpora for tests, and helpers to ingest them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rerank.core.protocols import Encoder, Store
from rerank.ingest.run import IngestOptions, ingest

NAME = "docs"


def write_corpus(path: Path, records: Iterable[Mapping[str, object] | str]) -> str:
    """Writes *records*, objects or complete lines, as JSON lines, and returns the path to ingest."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def numbered(count: int, *, start: int = 0, text: str = "document number") -> list[dict[str, object]]:
    """Returns *count* records with one passage each."""
    return [{"_id": str(number), "text": f"{text} {number}"} for number in range(start, start + count)]


def counts(store: Store, encoder: Encoder, *corpora: str, options: IngestOptions | None = None) -> dict[str, object]:
    """Ingests *corpora* and returns the report without the times."""
    report = ingest(corpora, store=store, encoder=encoder, name=NAME, options=options).to_json()
    return {key: value for key, value in report.items() if key not in ("seconds", "documents_per_second", "index")}


def outcome(
    indexed: int, *, passages: int | None = None, skipped: int = 0, rejected: int = 0, duplicates: int = 0
) -> dict[str, object]:
    """Returns the result of counts() for these numbers, by default with one passage per document."""
    return {
        "indexed": indexed,
        "passages": indexed if passages is None else passages,
        "skipped": skipped,
        "rejected": rejected,
        "duplicates": duplicates,
    }

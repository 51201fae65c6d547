"""Small corpora for tests, and runs over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rerank.core.protocols import Encoder, Store
from rerank.ingest.run import IngestOptions, ingest

NAME = "docs"


def write_corpus(path: Path, records: Iterable[Mapping[str, object] | str]) -> str:
    """Write *records*, objects or whole lines, as JSON lines; returns the name to ingest."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def numbered(count: int, *, start: int = 0, text: str = "document number") -> list[dict[str, object]]:
    """*count* records of one passage each."""
    return [{"_id": str(number), "text": f"{text} {number}"} for number in range(start, start + count)]


def counts(store: Store, encoder: Encoder, *corpora: str, options: IngestOptions | None = None) -> dict[str, object]:
    """Run, and the report without its times."""
    report = ingest(corpora, store=store, encoder=encoder, name=NAME, options=options).to_json()
    return {key: value for key, value in report.items() if key not in ("seconds", "documents_per_second", "index")}


def outcome(
    indexed: int, *, passages: int | None = None, skipped: int = 0, rejected: int = 0, duplicates: int = 0
) -> dict[str, object]:
    """What counts() gives for a run of these numbers; one passage a document unless told."""
    return {
        "indexed": indexed,
        "passages": indexed if passages is None else passages,
        "skipped": skipped,
        "rejected": rejected,
        "duplicates": duplicates,
    }

"""What an ingest run did."""

from __future__ import annotations

from dataclasses import dataclass

from rerank.ingest.record import RejectedRecord


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Counts in records: indexed + skipped + rejected + duplicates is what the corpus holds.

    `passages` were written for the indexed ones; `skipped` were in the index unchanged; `duplicates` came again
    later under the same id. A dry run says what would be. `examples`: the first few rejected records.
    """

    index: str
    indexed: int
    passages: int
    skipped: int
    rejected: int
    duplicates: int
    seconds: float
    examples: tuple[RejectedRecord, ...] = ()

    @property
    def documents_per_second(self) -> float:
        """Indexed documents by wall time."""
        return self.indexed / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, object]:
        """The summary of `rerank-cli ingest --json`."""
        return {
            "index": self.index,
            "indexed": self.indexed,
            "passages": self.passages,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "seconds": round(self.seconds, 3),
            "documents_per_second": round(self.documents_per_second, 1),
        }

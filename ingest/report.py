"""Report of an ingest run."""

from __future__ import annotations

from dataclasses import dataclass

from rerank.ingest.record import RejectedRecord


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Counts of an ingest run; indexed + skipped + rejected + duplicates is the number of records in the corpus.

    passages: passages of the indexed documents. skipped: documents that are unchanged in the index. duplicates: records
    that a later record with the same id replaces. examples: the first rejected records. After a dry run the counts are
    those of the simulated run.
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
        """Indexed documents per second of wall time."""
        return self.indexed / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, object]:
        """Returns the summary that `rerank-cli ingest --json` prints."""
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

"""The two passes over a corpus: a scan, then batches to index."""

from __future__ import annotations

from collections.abc import Iterator

from rerank.core.errors import CorpusError
from rerank.ingest.batches import Batch, batches
from rerank.ingest.corpus import Corpus
from rerank.ingest.corpus_scan import CorpusScan, scan
from rerank.ingest.progress import Progress
from rerank.ingest.record import Record, RecordFields, RejectedRecord
from rerank.ingest.rejected_records import RejectedRecords

_PROGRESS_RECORDS = 1024
"""Number of records between two progress updates of the scan."""


class CorpusReader:
    """Reader of *corpus* with *fields*. Its methods raise CorpusError if a file cannot be read completely."""

    def __init__(self, corpus: Corpus, fields: RecordFields) -> None:
        self._corpus = corpus
        self._fields = fields
        self._position = 0

    @property
    def size(self) -> int:
        """Size of the corpus files in bytes."""
        return self._corpus.size

    def scan(self, rejected: RejectedRecords, progress: Progress) -> CorpusScan:
        """Reads every record once; adds invalid ones to *rejected*. Raises CorpusError if no record is valid."""
        progress.begin("reading", size=self.size)
        result = scan(self._with_progress(progress), reject=rejected.add)
        rejected.flush()
        if result.documents:
            return result
        names = ", ".join(file.name for file in self._corpus.files)
        if not rejected.count:
            raise CorpusError(f"{names} has no records. Nothing was indexed.")
        raise CorpusError(
            f"{names}: all {rejected.count:,} records are invalid, nothing was indexed. "
            f"First one: {rejected.examples[0]}."
        )

    def batches(self, corpus_scan: CorpusScan) -> Iterator[Batch]:
        """Reads the corpus again; yields the latest valid record of each id in batches."""
        return batches(corpus_scan.latest(self._records()), position=lambda: self._position)

    def _records(self) -> Iterator[Record | RejectedRecord]:
        return self._corpus.records(self._fields, on_position=self._set_position)

    def _set_position(self, position: int) -> None:
        self._position = position

    def _with_progress(self, progress: Progress) -> Iterator[Record | RejectedRecord]:
        count = 0
        for count, record in enumerate(self._records(), start=1):
            yield record
            if count % _PROGRESS_RECORDS == 0:
                progress.advance(done=self._position, documents=count)
        progress.advance(done=self.size, documents=count)

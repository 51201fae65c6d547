"""The two readings of a corpus: one to know it, one to index it."""

from __future__ import annotations

from collections.abc import Iterator

from rerank.core.errors import CorpusError
from rerank.ingest.batches import Batch, batches
from rerank.ingest.corpus import Corpus
from rerank.ingest.progress import Progress
from rerank.ingest.record import Record, RecordFields, RejectedRecord
from rerank.ingest.rejects import Rejects
from rerank.ingest.survey import Survey, survey

_SHOWN_EVERY = 1024
"""Records between two looks at the progress of the first reading."""


class Reading:
    """Reads *corpus* with *fields*. Its methods raise CorpusError when a file cannot be read to its end."""

    def __init__(self, corpus: Corpus, fields: RecordFields) -> None:
        self._corpus = corpus
        self._fields = fields
        self._position = 0

    @property
    def size(self) -> int:
        """Bytes of the corpus as it lies on disk."""
        return self._corpus.size

    def survey(self, rejects: Rejects, progress: Progress) -> Survey:
        """Read every record once; those that cannot be read go to *rejects*.

        Raises CorpusError when no record is left.
        """
        progress.begin("reading", size=self.size)
        shown = self._shown(progress)
        found = survey(shown, rejected=rejects.add)
        rejects.flush()
        if found.documents:
            return found
        names = ", ".join(file.name for file in self._corpus.files)
        if not rejects.count:
            raise CorpusError(f"{names}: there is no record in it; nothing was indexed")
        raise CorpusError(
            f"{names}: none of {rejects.count:,} records can be indexed, so nothing was changed; "
            f"the first: {rejects.examples[0]}"
        )

    def batches(self, found: Survey) -> Iterator[Batch]:
        """Read again, in batches, what *found* says counts."""
        return batches(found.last_ones(self._records()), position=lambda: self._position)

    def _records(self) -> Iterator[Record | RejectedRecord]:
        return self._corpus.records(self._fields, read=self._moved)

    def _moved(self, position: int) -> None:
        self._position = position

    def _shown(self, progress: Progress) -> Iterator[Record | RejectedRecord]:
        count = 0
        for count, record in enumerate(self._records(), start=1):
            yield record
            if count % _SHOWN_EVERY == 0:
                progress.advance(done=self._position, documents=count)
        progress.advance(done=self.size, documents=count)

"""One ingest run: from corpora to an index that answers.

The index is its own checkpoint: what was written stays, and a run that is started again skips it by its content
hashes. A new generation is published, complete, at the end; a live one is updated in place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import BinaryIO

from rerank.core.errors import CorpusError, IndexConflict, IndexNotFound, StoreError
from rerank.core.indexing import AddOutcome, EncodedBatch, Indexer
from rerank.core.protocols import Encoder, Store
from rerank.ingest.batches import Batch
from rerank.ingest.corpus import Corpus, open_corpus
from rerank.ingest.patience import WAITS, Patience
from rerank.ingest.progress import Progress, SilentProgress
from rerank.ingest.reading import Reading
from rerank.ingest.record import RecordFields, RejectedRecord
from rerank.ingest.rehearsal import rehearse
from rerank.ingest.rejects import Rejects
from rerank.ingest.report import IngestReport
from rerank.ingest.survey import Survey
from rerank.ingest.target import Destination, spec_for
from rerank.ingest.writing import BackgroundWriter

GO_ON = "what was written is kept; the same command goes on from there"

MAX_BEGINNINGS = 3
"""How often a run begins when others begin the same index anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestOptions:
    """How a run goes. `analyzer` and `engine` are those of a new index; a live one keeps its own.

    restart: build a new generation though there is a live one. dry_run: read and check, write nothing.
    rejects: the file for the records that are left out. waits: seconds before each new try when the store is away.
    """

    fields: RecordFields = field(default_factory=RecordFields)
    analyzer: str = "standard"
    engine: str = "lucene"
    restart: bool = False
    dry_run: bool = False
    rejects: Path | None = None
    waits: tuple[float, ...] = WAITS


def ingest(
    corpora: Sequence[str],
    *,
    store: Store,
    encoder: Encoder,
    name: str,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
    stdin: BinaryIO | None = None,
) -> IngestReport:
    """Bring *corpora* into the index *name*. Records that cannot be read are counted, written down, and left out.

    Raises CorpusError when a corpus cannot be read or no record of it can be indexed (nothing is published then),
    EncoderMismatch, InvalidIndexName, IndexConflict, ModelError, and StoreError, after patience, when the store
    fails. KeyboardInterrupt is raised again with a sentence for the user. What was written until then stays.
    """
    started = time.perf_counter()
    options = options or IngestOptions()
    with open_corpus(corpora, stdin=stdin) as corpus:
        _check_rejects_file(corpus, options.rejects)
        spec = spec_for(corpus, options.fields, encoder, analyzer=options.analyzer, engine=options.engine)
        destination = Destination(store, name, spec, encoder, options.restart)
        # Before the corpus is read: a wrong name or encoder, or a store that is down, is told at once.
        found = destination.find()
        reading = Reading(corpus, options.fields)
        with Rejects(options.rejects) as rejects, progress or SilentProgress() as shown:
            survey = reading.survey(rejects, shown)
            if options.dry_run:
                outcome = rehearse(reading, survey, target=found, encoder=encoder, rejects=rejects, progress=shown)
            else:
                outcome = _Writing(destination, rejects, shown, options.waits).run(reading, survey)
    return IngestReport(
        index=name,
        indexed=outcome.indexed,
        passages=outcome.passages,
        skipped=outcome.skipped,
        rejected=rejects.count,
        duplicates=survey.duplicates,
        seconds=time.perf_counter() - started,
        examples=tuple(rejects.examples),
    )


def _check_rejects_file(corpus: Corpus, rejects: Path | None) -> None:
    if rejects is not None and rejects.exists() and any(rejects.samefile(file.path) for file in corpus.files):
        raise CorpusError(f"{rejects}: the rejects would be written over the corpus; name another file")


@dataclass(frozen=True)
class _Encoded:
    """A batch, and its documents as they are written."""

    batch: Batch
    encoded: EncodedBatch


class _Writing:
    """The second half of a run: reads again, encodes, writes and publishes."""

    def __init__(
        self, destination: Destination, rejects: Rejects, progress: Progress, waits: tuple[float, ...]
    ) -> None:
        self._destination = destination
        self._rejects = rejects
        self._progress = progress
        self._waits = waits
        self._done = AddOutcome()

    def run(self, reading: Reading, survey: Survey) -> AddOutcome:
        """Bring everything that *survey* found into the destination, and publish it."""
        mark = self._rejects.mark()
        try:
            for _ in range(MAX_BEGINNINGS - 1):
                try:
                    self._write(reading, survey)
                except (IndexNotFound, IndexConflict) as exc:
                    self._check_begun_anew(exc)
                    self._rejects.forget_since(mark)
                    self._done = AddOutcome()
                else:
                    return self._done
            self._write(reading, survey)
        except KeyboardInterrupt as exc:
            raise KeyboardInterrupt(f"stopped; {GO_ON}") from exc
        except StoreError as exc:
            raise type(exc)(f"{exc.message}; {GO_ON}") from exc
        return self._done

    def _check_begun_anew(self, error: IndexNotFound | IndexConflict) -> None:
        """Raise *error* unless there is a generation, which another run has begun, to write everything to again."""
        if self._destination.find() is None:
            raise error
        name = self._destination.name
        _log.info("index %s was begun anew by another run", name)
        self._progress.say(f'index "{name}" was begun anew by another run; joining it')

    def _write(self, reading: Reading, survey: Survey) -> None:
        given_up = Event()
        patience = Patience(waits=self._waits, say=self._progress.say, given_up=given_up)
        target = patience.with_store(self._destination.begin)
        indexer = Indexer(target.index, self._destination.encoder)

        def encoded(batch: Batch) -> _Encoded:
            return _Encoded(batch, patience.with_store(lambda: indexer.encode(batch.documents)))

        def write(item: _Encoded) -> None:
            self._add(item.batch, patience.with_store(lambda: indexer.write(item.encoded)))

        self._progress.begin("indexing", size=reading.size)
        with BackgroundWriter(write, given_up=given_up) as writer:
            for batch in reading.batches(survey):
                writer.put(encoded(batch))
        self._progress.begin("finishing", size=0)
        patience.with_store(target.index.refresh)
        patience.with_store(target.index.optimize)
        patience.with_store(lambda: self._destination.publish(target))

    def _add(self, batch: Batch, outcome: AddOutcome) -> None:
        places = {record.document.doc_id: record for record in batch.records}
        for rejected in outcome.rejected:
            record = places[rejected.doc_id]
            self._rejects.add(RejectedRecord(record.file, record.line, rejected.reason, rejected.doc_id))
        self._done = AddOutcome(
            self._done.indexed + outcome.indexed,
            self._done.passages + outcome.passages,
            self._done.skipped + outcome.skipped,
        )
        self._progress.advance(done=batch.position, documents=self._done.indexed + self._done.skipped)

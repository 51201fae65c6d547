"""Ingest run: from corpora to a searchable index.

The index serves as the checkpoint: a resumed run skips documents whose content hash is in the index. A new generation
is published when it is complete; a live one is updated in place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import BinaryIO, TypeVar

from rerank.core.document import RejectedDocument
from rerank.core.errors import CorpusError, IndexConflict, IndexNotFound, StoreError, StoreTimeout, StoreUnavailable
from rerank.core.indexing import AddOutcome, EncodedBatch, Indexer
from rerank.core.protocols import DEFAULT_VECTOR_INDEX, Encoder, Store
from rerank.core.retry import RetryPolicy, retry
from rerank.ingest.background_writer import BackgroundWriter
from rerank.ingest.batches import Batch
from rerank.ingest.corpus import Corpus, open_corpus
from rerank.ingest.corpus_reader import CorpusReader
from rerank.ingest.corpus_scan import CorpusScan
from rerank.ingest.dry_run import dry_run
from rerank.ingest.progress import Progress, SilentProgress
from rerank.ingest.record import RecordFields, RejectedRecord
from rerank.ingest.rejected_records import RejectedRecords
from rerank.ingest.report import IngestReport
from rerank.ingest.target_index import Generation, TargetIndex, spec_for

RESUME_HINT = "Written documents are kept. Run the same command again to resume."

STORE_RETRIES = RetryPolicy(first=1.0, longest=15.0, retries=7)
"""Waits of one minute in total, which outlast the restart of an OpenSearch node."""

MAX_ATTEMPTS = 3
"""Attempts to build the index while other runs restart it."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class IngestOptions:
    """Options of a run. analyzer, engine and vector_index apply to a new index; an existing one keeps its own.

    restart: build a new generation even if there is a live one. dry_run: read and check, write nothing.
    rejects: file for the rejected records. store_retries: retries while the store is unavailable.
    """

    fields: RecordFields = field(default_factory=RecordFields)
    analyzer: str = "standard"
    engine: str = "lucene"
    vector_index: str = DEFAULT_VECTOR_INDEX
    restart: bool = False
    dry_run: bool = False
    rejects: Path | None = None
    store_retries: RetryPolicy = STORE_RETRIES


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
    """Indexes *corpora* in the index *name*, and leaves out invalid records, which the report counts.

    Raises CorpusError if a corpus cannot be read or has no valid record (nothing is published then), EncoderMismatch,
    InvalidIndexName, IndexConflict, ModelError, and, after retries, StoreError. KeyboardInterrupt is raised again with
    a message for the user. Documents that were written before an error are kept.
    """
    started = time.perf_counter()
    options = options or IngestOptions()
    with open_corpus(corpora, stdin=stdin) as corpus:
        _check_rejects_file(corpus, options.rejects)
        spec = spec_for(
            corpus,
            options.fields,
            encoder,
            analyzer=options.analyzer,
            engine=options.engine,
            vector_index=options.vector_index,
        )
        target = TargetIndex(store, name, spec, encoder, options.restart)
        # Before the corpus is read, so that an invalid name, another encoder or a missing store is reported at once.
        existing = target.existing()
        reader = CorpusReader(corpus, options.fields)
        with RejectedRecords(options.rejects) as rejected, progress or SilentProgress() as shown:
            scan = reader.scan(rejected, shown)
            if options.dry_run:
                outcome = dry_run(reader, scan, generation=existing, encoder=encoder, rejected=rejected, progress=shown)
            else:
                outcome = _IndexBuild(target, rejected, shown, options.store_retries).run(reader, scan)
    return IngestReport(
        index=name,
        indexed=outcome.indexed,
        passages=outcome.passages,
        skipped=outcome.skipped,
        rejected=rejected.count,
        duplicates=scan.duplicates,
        seconds=time.perf_counter() - started,
        examples=tuple(rejected.examples),
    )


def _check_rejects_file(corpus: Corpus, rejects: Path | None) -> None:
    if rejects is not None and rejects.exists() and any(rejects.samefile(file.path) for file in corpus.files):
        raise CorpusError(f"--rejects must not name a corpus file, got {rejects.absolute()}. Pass another file.")


@dataclass(frozen=True)
class _EncodedBatch:
    """Batch of records with their encoded documents."""

    batch: Batch
    encoded: EncodedBatch


class _IndexBuild:
    """Second pass of a run: reads the corpus again, encodes, writes and publishes."""

    def __init__(
        self, target: TargetIndex, rejected: RejectedRecords, progress: Progress, store_retries: RetryPolicy
    ) -> None:
        self._target = target
        self._rejected = rejected
        self._progress = progress
        self._store_retries = store_retries
        self._outcome = AddOutcome()

    def run(self, reader: CorpusReader, scan: CorpusScan) -> AddOutcome:
        """Writes the documents of *scan* to the target and publishes it."""
        rejected_before = self._rejected.checkpoint()
        try:
            for _ in range(MAX_ATTEMPTS - 1):
                try:
                    self._build(reader, scan)
                except (IndexNotFound, IndexConflict) as exc:
                    self._check_restarted(exc)
                    self._rejected.roll_back(rejected_before)
                    self._outcome = AddOutcome()
                else:
                    return self._outcome
            self._build(reader, scan)
        except KeyboardInterrupt as exc:
            raise KeyboardInterrupt(f"Interrupted. {RESUME_HINT}") from exc
        except StoreError as exc:
            raise type(exc)(f"{_sentence(exc.message)} {RESUME_HINT}") from exc
        return self._outcome

    def _check_restarted(self, error: IndexNotFound | IndexConflict) -> None:
        """Raises *error* unless another run has restarted the index; then all documents are written again."""
        if self._target.existing() is None:
            raise error
        _log.info("index restarted by another run index=%s", self._target.name)
        self._progress.report(f'Another ingest run restarted index "{self._target.name}". Writing all documents again.')

    def _build(self, reader: CorpusReader, scan: CorpusScan) -> None:
        cancelled = Event()

        def retried(step: Callable[[], T]) -> T:
            return retry(
                step,
                self._store_retries,
                errors=(StoreUnavailable, StoreTimeout),
                cancelled=cancelled,
                before_wait=self._report_wait,
            )

        generation: Generation = retried(self._target.existing_or_new)
        indexer = Indexer(generation.index, self._target.encoder)

        def encode(batch: Batch) -> _EncodedBatch:
            return _EncodedBatch(batch, retried(lambda: indexer.encode(batch.documents)))

        def write(item: _EncodedBatch) -> None:
            self._add(item.batch, retried(lambda: indexer.write(item.encoded)))

        self._progress.begin("indexing", size=reader.size)
        with BackgroundWriter(write, cancelled=cancelled) as writer:
            for batch in reader.batches(scan):
                writer.put(encode(batch))
        self._progress.begin("finishing", size=0)
        retried(generation.index.refresh)
        retried(generation.index.optimize)
        retried(lambda: self._target.publish(generation, rejected=self._reject_change))

    def _reject_change(self, rejection: RejectedDocument) -> None:
        """Counts a document that another writer changed meanwhile, and that the new generation refuses."""
        self._rejected.add(RejectedRecord(f"changes of {self._target.name}", 0, rejection.reason, rejection.doc_id))

    def _report_wait(self, error: BaseException | None, seconds: float) -> None:
        if isinstance(error, StoreError):
            self._progress.report(f"{_sentence(error.message)} Retrying in {seconds:g} s.")

    def _add(self, batch: Batch, outcome: AddOutcome) -> None:
        records = {record.document.doc_id: record for record in batch.records}
        for rejection in outcome.rejected:
            record = records[rejection.doc_id]
            self._rejected.add(RejectedRecord(record.file, record.line, rejection.reason, rejection.doc_id))
        self._outcome = AddOutcome(
            self._outcome.indexed + outcome.indexed,
            self._outcome.passages + outcome.passages,
            self._outcome.skipped + outcome.skipped,
        )
        self._progress.advance(done=batch.position, documents=self._outcome.indexed + self._outcome.skipped)


def _sentence(message: str) -> str:
    return message if message.endswith(".") else f"{message}."

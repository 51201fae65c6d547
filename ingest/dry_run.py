"""Dry run, which reads, checks and splits a corpus, but encodes and writes nothing."""

from __future__ import annotations

from rerank.core.chunking import Chunker
from rerank.core.errors import MetadataError
from rerank.core.indexing import AddOutcome, too_many_passages
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import Encoder
from rerank.ingest.corpus_reader import CorpusReader
from rerank.ingest.corpus_scan import CorpusScan
from rerank.ingest.progress import Progress
from rerank.ingest.record import Record, RejectedRecord
from rerank.ingest.rejected_records import RejectedRecords
from rerank.ingest.target_index import Generation


def dry_run(
    reader: CorpusReader,
    corpus_scan: CorpusScan,
    *,
    generation: Generation | None,
    encoder: Encoder,
    rejected: RejectedRecords,
    progress: Progress,
) -> AddOutcome:
    """Returns the outcome that a run would have on *generation* (None: on a new index).

    Metadata is checked only for conflicts within the corpus. A write also checks the field types of the index.
    """
    progress.begin("checking", size=reader.size)
    index = generation.index if generation else None
    chunker = Chunker(encoder)
    schema = MetadataSchema()
    indexed = passages = skipped = 0
    for batch in reader.batches(corpus_scan):
        stored = index.content_hashes([document.doc_id for document in batch.documents]) if index else {}
        changed: list[Record] = []
        for record in batch.records:
            document = record.document
            try:
                schema = schema.extended(document.metadata)
            except MetadataError as exc:
                rejected.add(RejectedRecord(record.file, record.line, exc.message, document.doc_id))
                continue
            if stored.get(document.doc_id) != document.content_hash(chunker.rules_id):
                changed.append(record)
            else:
                skipped += 1
        split = chunker.passages([record.document for record in changed])
        for record, of_document in zip(changed, split, strict=True):
            if of_document:
                indexed, passages = indexed + 1, passages + len(of_document)
            else:
                reason = too_many_passages(record.document).reason
                rejected.add(RejectedRecord(record.file, record.line, reason, record.document.doc_id))
        progress.advance(done=batch.position, documents=indexed + skipped)
    return AddOutcome(indexed, passages, skipped)

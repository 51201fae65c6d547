"""A dry run: everything up to the encoder, so that the outcome is known and nothing is changed."""

from __future__ import annotations

from rerank.core.chunking import Chunker
from rerank.core.document import Document
from rerank.core.errors import MetadataError
from rerank.core.indexing import AddOutcome
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import Encoder
from rerank.ingest.progress import Progress
from rerank.ingest.reading import Reading
from rerank.ingest.record import RejectedRecord
from rerank.ingest.rejects import Rejects
from rerank.ingest.survey import Survey
from rerank.ingest.target import Target


def rehearse(
    reading: Reading, survey: Survey, *, target: Target | None, encoder: Encoder, rejects: Rejects, progress: Progress
) -> AddOutcome:
    """What a run would do with the records that *survey* found when it went on with *target* (None: a new index).

    Metadata is compared only within the corpus: a field's type in the index is known when it is written.
    """
    progress.begin("checking", size=reading.size)
    index = target.index if target else None
    chunker = Chunker(encoder)
    schema = MetadataSchema()
    indexed = passages = skipped = 0
    for batch in reading.batches(survey):
        stored = index.content_hashes([document.doc_id for document in batch.documents]) if index else {}
        fresh: list[Document] = []
        for record in batch.records:
            document = record.document
            try:
                schema = schema.extended(document.metadata)
            except MetadataError as exc:
                rejects.add(RejectedRecord(record.file, record.line, exc.message, document.doc_id))
                continue
            if stored.get(document.doc_id) != document.content_hash(chunker.recipe):
                fresh.append(document)
            else:
                skipped += 1
        indexed += len(fresh)
        passages += sum(len(pieces) for pieces in chunker.cut(fresh))
        progress.advance(done=batch.position, documents=indexed + skipped)
    return AddOutcome(indexed, passages, skipped)

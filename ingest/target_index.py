"""Target of an ingest run: the generation to write to, and its publication."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rerank.core.document import RejectedDocument
from rerank.core.errors import CorpusError, IndexConflict, IndexNotFound
from rerank.core.indexing import Indexer
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, EncoderIdentity, Index, IndexSpec, Store
from rerank.ingest.corpus import Corpus
from rerank.ingest.record import RecordFields

_REPLAY_DOCUMENTS = 100


def spec_for(
    corpus: Corpus, fields: RecordFields, encoder: Encoder, *, analyzer: str, engine: str, vector_index: str
) -> IndexSpec:
    """Returns the spec of a new generation. Its run_key identifies the files, the fields and the other properties."""
    parts = [
        corpus.identity(),
        [fields.id, fields.text, fields.title, sorted(fields.dropped)],
        [encoder.fingerprint, analyzer, engine, vector_index],
    ]
    run_key = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
    identity = EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)
    return IndexSpec(identity, analyzer, engine, run_key, vector_index)


@dataclass(frozen=True)
class Generation:
    """Generation that a run writes to. building: it is not live yet."""

    index: Index
    building: bool


@dataclass(frozen=True)
class TargetIndex:
    """Index that a run writes to.

    A run without --restart updates the live generation. Without a live one, it resumes an unfinished generation with
    the same encoder, analyzer, engine and vector index, of any corpus. A run with --restart resumes only an unfinished
    generation of the same files. Otherwise the run creates a new generation.
    """

    store: Store
    name: str
    spec: IndexSpec
    encoder: Encoder
    restart: bool = False

    def existing(self) -> Generation | None:
        """Returns the generation to update or resume; None if a new one is needed. Creates nothing.

        Raises InvalidIndexName, and EncoderMismatch if the live generation was built with another encoder.
        """
        if not self.restart:
            live = self._live()
            if live is not None:
                check_encoder(live, self.encoder)
                return Generation(live, building=False)
        unfinished = self.store.unfinished(self.name)
        if unfinished is not None and self._is_resumable(unfinished[1]):
            return Generation(unfinished[0], building=True)
        return None

    def existing_or_new(self) -> Generation:
        """Returns the existing generation, or creates one. Raises IndexConflict."""
        return self.existing() or Generation(self.store.create(self.name, self.spec), building=True)

    def publish(self, generation: Generation, *, rejected: Callable[[RejectedDocument], None]) -> None:
        """Makes *generation* live; does nothing if it is live already.

        Documents that other writers changed in the live generation meanwhile keep their last content. *rejected* is
        called with those that the new generation refuses.

        Raises CorpusError if it is empty, and IndexConflict if a run without --restart would replace a generation that
        another run has published meanwhile.
        """
        if not generation.building:
            return
        if not generation.index.info().documents:
            raise CorpusError(
                f'Index "{self.name}" was not published because every document was rejected. '
                "Pass --rejects FILE to list the reasons."
            )
        if not self.restart and self.store.unfinished(self.name) is not None and self._live() is not None:
            raise IndexConflict(f'Another ingest run published index "{self.name}" meanwhile. Run the command again.')
        indexer = Indexer(generation.index, self.encoder)

        def replay(live: Index, doc_ids: Sequence[str]) -> None:
            for start in range(0, len(doc_ids), _REPLAY_DOCUMENTS):
                part = doc_ids[start : start + _REPLAY_DOCUMENTS]
                current = live.fetch(part)
                for rejection in indexer.add(list(current.values())).rejected:
                    rejected(rejection)
                if missing := [doc_id for doc_id in part if doc_id not in current]:
                    generation.index.delete(missing)

        self.store.publish(generation.index, replay=replay)

    def _live(self) -> Index | None:
        try:
            return self.store.open(self.name)
        except IndexNotFound:
            return None

    def _is_resumable(self, spec: IndexSpec) -> bool:
        if self.restart and spec.run_key != self.spec.run_key:
            return False
        return _fixed_properties(spec) == _fixed_properties(self.spec)


def _fixed_properties(spec: IndexSpec) -> tuple[str, ...]:
    return spec.encoder.fingerprint, spec.analyzer, spec.engine, spec.vector_index

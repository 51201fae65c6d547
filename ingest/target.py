"""Which generation of an index a run writes to, and how it becomes the live one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from rerank.core.errors import CorpusError, IndexConflict, IndexNotFound
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, EncoderIdentity, Index, IndexSpec, Store
from rerank.ingest.corpus import Corpus
from rerank.ingest.record import RecordFields


def spec_for(corpus: Corpus, fields: RecordFields, encoder: Encoder, *, analyzer: str, engine: str) -> IndexSpec:
    """What a new generation is made of. Its run_key changes with the files, the fields, the encoder and the rest."""
    parts = [
        corpus.identity(),
        [fields.id, fields.text, fields.title, sorted(fields.dropped)],
        [encoder.fingerprint, analyzer, engine],
    ]
    run_key = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
    identity = EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)
    return IndexSpec(identity, analyzer, engine, run_key)


@dataclass(frozen=True)
class Target:
    """The generation that a run writes to. `building`: not live yet."""

    index: Index
    building: bool


@dataclass(frozen=True)
class Destination:
    """The index that a run is for.

    A plain run updates the live generation; without one it goes on with an unfinished one that was begun with the
    same encoder, analyser and engine, whatever its corpus was. A restart goes on only with what is left of a run
    over the same files. Else a new generation is made.
    """

    store: Store
    name: str
    spec: IndexSpec
    encoder: Encoder
    restart: bool = False

    def find(self) -> Target | None:
        """The generation to go on with; None when a new one is needed. Nothing is made.

        Raises EncoderMismatch when the live generation holds another encoder's vectors, and InvalidIndexName.
        """
        if not self.restart:
            live = self._live()
            if live is not None:
                check_encoder(live, self.encoder)
                return Target(live, building=False)
        unfinished = self.store.unfinished(self.name)
        if unfinished is not None and self._goes_on(unfinished[1]):
            return Target(unfinished[0], building=True)
        return None

    def begin(self) -> Target:
        """The generation to write to, made when there is none to go on with. Raises IndexConflict."""
        return self.find() or Target(self.store.create(self.name, self.spec), building=True)

    def publish(self, target: Target) -> None:
        """Make a generation that was being built the live one.

        Raises CorpusError when nothing is in it, and IndexConflict when a plain run would put it in the place of a
        generation that another run has published meanwhile.
        """
        if not target.building:
            return
        if not target.index.info().documents:
            raise CorpusError(
                f'no document could be written to index "{self.name}", so it was not published; the rejected '
                f"records say why (--rejects FILE)"
            )
        if not self.restart and self.store.unfinished(self.name) is not None and self._live() is not None:
            raise IndexConflict(f'index "{self.name}" was made by another run meanwhile; run the command again')
        self.store.publish(target.index)

    def _live(self) -> Index | None:
        try:
            return self.store.open(self.name)
        except IndexNotFound:
            return None

    def _goes_on(self, begun: IndexSpec) -> bool:
        if self.restart and begun.run_key != self.spec.run_key:
            return False
        return (begun.encoder.fingerprint, begun.analyzer, begun.engine) == (
            self.spec.encoder.fingerprint,
            self.spec.analyzer,
            self.spec.engine,
        )

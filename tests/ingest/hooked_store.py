"""In-memory store that calls a hook before each step, for tests in which the store fails or another run interferes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Document, EncodedDocument, RejectedDocument
from rerank.core.filters import Filter
from rerank.core.protocols import Index, IndexInfo, IndexSpec, PassageMatch, Replay
from tests.memory_store import InMemoryStore

Hook = Callable[[str], None]


class HookedStore(InMemoryStore):
    """Store that calls *before* with the name of each step before it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Hook = lambda step: None

    def open(self, name: str) -> Index:
        self.before("open")
        return HookedIndex(super().open(name), self._hook)

    def create(self, name: str, spec: IndexSpec) -> Index:
        self.before("create")
        return HookedIndex(super().create(name, spec), self._hook)

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        unfinished = super().unfinished(name)
        return None if unfinished is None else (HookedIndex(unfinished[0], self._hook), unfinished[1])

    def publish(self, index: Index, *, replay: Replay | None = None) -> None:
        self.before("publish")
        super().publish(index.inner if isinstance(index, HookedIndex) else index, replay=replay)

    def _hook(self, step: str) -> None:
        self.before(step)


@dataclass(frozen=True)
class HookedIndex:
    """Index of a HookedStore."""

    inner: Index
    before: Hook

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def spec(self) -> IndexSpec:
        return self.inner.spec

    def info(self) -> IndexInfo:
        return self.inner.info()

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        self.before("upsert")
        return self.inner.upsert(documents)

    def delete(self, doc_ids: Sequence[str]) -> int:
        return self.inner.delete(doc_ids)

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        self.before("content_hashes")
        return self.inner.content_hashes(doc_ids)

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        return self.inner.fetch(doc_ids)

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        return self.inner.knn(vector, k=k, filter=filter, exact=exact)

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        return self.inner.match(text, k=k, filter=filter)

    def refresh(self) -> None:
        self.before("refresh")
        self.inner.refresh()

    def optimize(self) -> None:
        self.before("optimize")
        self.inner.optimize()

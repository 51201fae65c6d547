"""Rules of the first stage: the vector search and the text search of a hybrid search run in parallel."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.document import Passage
from rerank.core.errors import StoreError
from rerank.core.filters import Filter
from rerank.core.protocols import EncoderIdentity, IndexSpec, PassageMatch
from rerank.core.retrieval import RetrievalOptions, Retriever
from tests.memory_store import InMemoryIndex

VECTOR = np.ones(4, dtype=np.float32)


class ParallelIndex(InMemoryIndex):
    """Index whose vector search and text search each return only while the other one runs."""

    def __init__(self) -> None:
        spec = IndexSpec(EncoderIdentity("fake", "fingerprint", 4))
        super().__init__("parallel", spec, threading.RLock(), lambda _: False)
        self._both_running = threading.Barrier(2, timeout=10)
        self.text_threads: set[str] = set()

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        self._both_running.wait()
        return [PassageMatch(Passage("a", 0, "", "by vector", 0, 9), 0.5)]

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        self.text_threads.add(threading.current_thread().name)
        self._both_running.wait()
        return [PassageMatch(Passage("b", 0, "", "by text", 0, 7), 3.0)]


class FailingTextIndex(ParallelIndex):
    """Index whose text search fails."""

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        super().match(text, k=k)
        raise StoreError("text search failed")


@pytest.fixture
def retriever() -> Iterator[Retriever]:
    retriever = Retriever(threads=1)
    yield retriever
    retriever.close()


def test_hybrid_search_runs_vector_and_text_search_in_parallel(retriever: Retriever) -> None:
    """A hybrid search takes as long as the slower of the two."""
    candidates = retriever.candidates(ParallelIndex(), "tea", VECTOR, RetrievalOptions("hybrid", 10))
    assert [(candidate.doc_id, candidate.cosine, candidate.text_score) for candidate in candidates] == [
        ("a", 0.5, None),
        ("b", None, 3.0),
    ]


def test_hybrid_searches_share_the_threads_of_the_pool(retriever: Retriever) -> None:
    """No search starts a thread of its own."""
    index = ParallelIndex()
    for _ in range(3):
        retriever.candidates(index, "tea", VECTOR, RetrievalOptions("hybrid", 10))
    assert len(index.text_threads) == 1


def test_hybrid_search_raises_the_error_of_the_text_search(retriever: Retriever) -> None:
    """A hybrid search never returns only the results of the vector search."""
    with pytest.raises(StoreError, match="text search failed"):
        retriever.candidates(FailingTextIndex(), "tea", VECTOR, RetrievalOptions("hybrid", 10))


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_vector_modes_without_a_vector_are_refused(mode: str, retriever: Retriever) -> None:
    """A missing vector is a programming error."""
    with pytest.raises(ValueError, match="requires the vector of the query"):
        retriever.candidates(ParallelIndex(), "tea", None, RetrievalOptions(mode, 10))  # type: ignore[arg-type]

"""The first stage: what is asked of an index, and at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.document import Passage
from rerank.core.errors import StoreError
from rerank.core.filters import Filter
from rerank.core.protocols import EncoderIdentity, IndexSpec, PassageMatch
from rerank.core.retrieval import Retrieval
from tests.memory_store import InMemoryIndex

VECTOR = np.ones(4, dtype=np.float32)


class MeetingIndex(InMemoryIndex):
    """Answers a search by vector only while one by text is under way, and the other way round."""

    def __init__(self) -> None:
        super().__init__("meeting", IndexSpec(EncoderIdentity("fake", "print", 4)), threading.RLock(), lambda _: False)
        self._meeting = threading.Barrier(2, timeout=10)

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        self._meeting.wait()
        return [PassageMatch(Passage("a", 0, "", "by vector", 0, 9), 0.5)]

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        self._meeting.wait()
        return [PassageMatch(Passage("b", 0, "", "by text", 0, 7), 3.0)]


class DeafIndex(MeetingIndex):
    """Its search by text fails."""

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        super().match(text, k=k)
        raise StoreError("no text today")


def test_a_hybrid_search_asks_for_both_at_once() -> None:
    """It takes as long as the slower of the two."""
    found = Retrieval("hybrid", 10).candidates(MeetingIndex(), "tea", VECTOR)
    assert [(one.doc_id, one.cosine, one.text_score) for one in found] == [("a", 0.5, None), ("b", None, 3.0)]


def test_what_one_of_them_fails_with_is_what_the_search_fails_with() -> None:
    """No half of a hybrid search stands for the whole."""
    with pytest.raises(StoreError, match="no text today"):
        Retrieval("hybrid", 10).candidates(DeafIndex(), "tea", VECTOR)


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_a_search_by_vector_needs_one(mode: str) -> None:
    """A caller's fault, told at once."""
    with pytest.raises(ValueError, match="needs the query's vector"):
        Retrieval(mode, 10).candidates(MeetingIndex(), "tea", None)  # type: ignore[arg-type]

"""Rules for cosines with texts outside an index."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rerank.core.errors import RequestCancelled
from rerank.core.stop_condition import StopCondition
from rerank.models.output_cache import OutputCache
from rerank.models.passage_similarity import SLICE, PassageSimilarity
from tests.fakes import FakeEncoder

TEXTS = [f"text number {i}" for i in range(2 * SLICE)]


class Disconnected:
    """Cancellation of a disconnected client."""

    def cancelled(self) -> bool:
        return True


def test_cosines_equal_those_of_the_encoder() -> None:
    """Vectors are stored in half precision, which changes a cosine by less than 0.001."""
    encoder = FakeEncoder()
    expected = encoder.encode_documents(TEXTS) @ encoder.encode_queries(["number 3"])[0]
    found = PassageSimilarity(encoder, OutputCache(megabytes=1)).cosines("number 3", TEXTS)
    assert found is not None
    assert np.allclose(found, expected, atol=1e-3)


def test_known_text_is_not_encoded_again() -> None:
    """A vector does not depend on the query."""
    encoder = FakeEncoder()
    similarity = PassageSimilarity(encoder, OutputCache(megabytes=1))
    similarity.cosines("first query", ["a", "b", "a"])
    similarity.cosines("second query", ["b", "c"])
    assert encoder.encoded == ["a", "b", "c"]


def test_passed_deadline_returns_none() -> None:
    """Half of the cosines would rank the other texts last."""
    similarity = PassageSimilarity(FakeEncoder(), OutputCache(megabytes=1))
    assert similarity.cosines("query", TEXTS, stop=StopCondition(deadline=time.monotonic() - 1)) is None


def test_disconnected_client_cancels_the_encoding() -> None:
    """No client waits for the vectors."""
    similarity = PassageSimilarity(FakeEncoder(), OutputCache(megabytes=1))
    with pytest.raises(RequestCancelled):
        similarity.cosines("query", TEXTS, stop=StopCondition(cancellation=Disconnected()))


def test_no_texts_have_no_cosines() -> None:
    """The encoder is not called."""
    found = PassageSimilarity(FakeEncoder(), OutputCache(megabytes=1)).cosines("query", [])
    assert found is not None
    assert found.shape == (0,)

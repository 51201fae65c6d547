"""Rules for embeddings and tokens of the built-in encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import RequestCancelled
from rerank.core.stop_condition import StopCondition
from rerank.core.text_embedder import Token
from rerank.models.encoder import BiEncoder
from rerank.models.folder import ModelFolder
from rerank.models.scheduler import Scheduler
from rerank.models.text_embedder import SLICE, ScheduledEmbedder
from tests.fakes import FakeEncoder
from tests.models import tiny


def test_tokens_have_ids_texts_and_character_ranges(tmp_path: Path) -> None:
    """Special tokens have no range and can be left out. The vectors are those of the encoder."""
    encoder = BiEncoder.from_folder(ModelFolder.read(tiny.bert(tmp_path / "encoder")))
    embedder = ScheduledEmbedder(encoder, Scheduler())

    with_special, plain = (embedder.tokenize(["the cat"], special_tokens=special)[0] for special in (True, False))

    assert [token.special for token in with_special] == [True, *[False] * (len(with_special) - 2), True]
    assert with_special[1:-1] == plain
    assert all(isinstance(token, Token) and token.stop is not None for token in plain)
    assert "".join(token.text.strip("#") for token in plain) == "thecat"
    assert "".join("the cat"[token.start : token.stop] for token in plain) == "thecat"
    np.testing.assert_array_equal(embedder.embed(["the cat"]).vectors, encoder.encode_documents(["the cat"]))


class Disconnects:
    """Cancellation after a number of checks."""

    def __init__(self, checks: int) -> None:
        self._checks = checks

    def cancelled(self) -> bool:
        self._checks -= 1
        return self._checks < 0


def test_texts_of_a_disconnected_client_are_not_encoded() -> None:
    """The client is checked before each slice of texts."""
    encoder = FakeEncoder()
    embedder = ScheduledEmbedder(encoder, Scheduler())
    with pytest.raises(RequestCancelled):
        embedder.embed([f"w{i}" for i in range(3 * SLICE)], stop=StopCondition(cancellation=Disconnects(2)))
    assert len(encoder.encoded) <= 2 * SLICE

"""A reranker over a network whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.shared_resources import SharedResources
from rerank.models.tokenizer import Ids, TextTokenizer
from tests.models import tiny


class ScriptedNetwork:
    """A PairNetwork whose logit is the passage's number of tokens, and which calls *before_batch* first."""

    pair_room = 24
    query_room = 8
    passage_room = 16
    overhead = 3

    def __init__(self, before_batch: Callable[[int], None] = lambda _: None, *, answer: float | None = None) -> None:
        self.batches: list[int] = []
        self._before_batch = before_batch
        self._answer = answer

    def read(self, query: Ids) -> ScriptedNetwork:
        return self

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        self.batches.append(len(passages))
        self._before_batch(len(self.batches))
        return np.array([len(ids) if self._answer is None else self._answer for ids in passages], dtype=np.float32)


def scripted(
    folder: Path, network: ScriptedNetwork, *, batch_tokens: int = 64, shared: SharedResources | None = None
) -> CrossEncoderReranker:
    """A reranker over a scripted network."""
    read = ModelFolder.read(tiny.bert(folder, labels=1), name="scripted")
    tokenizer = TextTokenizer.from_folder(read)
    return CrossEncoderReranker(read, network, tokenizer, batch_tokens=batch_tokens, shared=shared)

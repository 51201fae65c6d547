"""A reranker over a network with predictable logits."""

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
    """A PairNetwork whose logit is the number of tokens of the passage.

    *before_batch* is called with the number of the batch before each batch. *logit* replaces all logits.
    """

    max_pair_tokens = 24
    max_query_tokens = 8
    max_passage_tokens = 16
    overhead = 3

    def __init__(self, before_batch: Callable[[int], None] = lambda _: None, *, logit: float | None = None) -> None:
        self.batches: list[int] = []
        self._before_batch = before_batch
        self._logit = logit

    def prepare(self, query: Ids) -> ScriptedNetwork:
        return self

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        self.batches.append(len(passages))
        self._before_batch(len(self.batches))
        return np.array([len(ids) if self._logit is None else self._logit for ids in passages], dtype=np.float32)


def scripted(
    folder: Path, network: ScriptedNetwork, *, batch_tokens: int = 64, shared: SharedResources | None = None
) -> CrossEncoderReranker:
    """Returns a reranker over a scripted network."""
    model = ModelFolder.read(tiny.bert(folder, labels=1), name="scripted")
    tokenizer = TextTokenizer.from_folder(model)
    return CrossEncoderReranker(model, network, tokenizer, batch_tokens=batch_tokens, shared=shared)

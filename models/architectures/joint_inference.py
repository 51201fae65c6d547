"""Joint reranker for inference: the lower layers process the query once per request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.models.architectures.cross_encoder import query_room
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.network import PreparedQuery
from rerank.models.runtime import JointHalves, LowerHalf, ModelRuntime
from rerank.models.tokenizer import Ids, Template, TextTokenizer


class JointNetwork:
    """PairNetwork with the weights and the arithmetic of JointReranker."""

    def __init__(self, halves: JointHalves, *, template: Template, max_tokens: int) -> None:
        self._halves = halves
        self._template = template
        self._room = max_tokens - 2 * template.special

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for missing or broken weights and for other architectures."""
        return cls(runtime.halves(folder), template=tokenizer.single_template(), max_tokens=folder.max_tokens)

    @property
    def pair_room(self) -> int:
        """Maximum number of tokens of query and passage together, without special tokens."""
        return self._room

    @property
    def query_room(self) -> int:
        """Maximum number of tokens of a query."""
        return query_room(self._room)

    def read(self, query: Ids) -> PreparedQuery:
        """Prepares a query of at most `query_room` tokens."""
        return _JointQuery(self, query, self._room - len(query), len(query) + 2 * self._template.special)

    def lower_half(self, query: Ids) -> LowerHalf:
        """Returns the output of the lower layers for a query."""
        return self._halves.lower(self._rows([query]))

    def logits(self, query: LowerHalf, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (len(passages),) for a query after the lower layers."""
        return self._halves.logits(query, self._rows(passages))

    def _rows(self, texts: Sequence[Ids]) -> TokenRows:
        template = self._template
        whole = [np.concatenate([template.before, text, template.after]) for text in texts]
        return TokenRows.of(whole, pad_id=template.pad_id)


@dataclass(frozen=True)
class _JointQuery:
    network: JointNetwork
    query: Ids
    passage_room: int
    overhead: int

    @cached_property
    def hidden(self) -> LowerHalf:
        return self.network.lower_half(self.query)

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits(self.hidden, passages)

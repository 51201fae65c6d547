"""Joint reranker for inference: the lower layers process the query once per request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.models.architectures.cross_encoder import max_query_tokens
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.network import PreparedQuery
from rerank.models.runtime import JointLayers, LowerOutput, ModelRuntime
from rerank.models.tokenizer import Ids, Template, TextTokenizer


class JointNetwork:
    """PairNetwork with the weights and the arithmetic of JointReranker."""

    def __init__(self, layers: JointLayers, *, template: Template, max_tokens: int) -> None:
        self._layers = layers
        self._template = template
        self._max_pair_tokens = max_tokens - 2 * template.special

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for missing or broken weights and for other architectures."""
        return cls(runtime.joint_layers(folder), template=tokenizer.single_template(), max_tokens=folder.max_tokens)

    @property
    def max_pair_tokens(self) -> int:
        """Maximum number of tokens of query and passage together, without special tokens."""
        return self._max_pair_tokens

    @property
    def max_query_tokens(self) -> int:
        """Maximum number of tokens of a query, without special tokens."""
        return max_query_tokens(self._max_pair_tokens)

    def prepare(self, query: Ids) -> PreparedQuery:
        """Prepares a query of at most `max_query_tokens` tokens."""
        return _JointQuery(self, query, self._max_pair_tokens - len(query), len(query) + 2 * self._template.special)

    def lower_output(self, query: Ids) -> LowerOutput:
        """Returns the output of the lower layers for a query."""
        return self._layers.lower_output(self._rows([query]))

    def logits(self, query: LowerOutput, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (len(passages),) for the output of the lower layers for a query."""
        return self._layers.logits(query, self._rows(passages))

    def _rows(self, texts: Sequence[Ids]) -> TokenRows:
        template = self._template
        sequences = [np.concatenate([template.before, text, template.after]) for text in texts]
        return TokenRows.of(sequences, pad_id=template.pad_id)


@dataclass(frozen=True)
class _JointQuery:
    network: JointNetwork
    query: Ids
    max_passage_tokens: int
    overhead: int

    @cached_property
    def hidden(self) -> LowerOutput:
        return self.network.lower_output(self.query)

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits(self.hidden, passages)

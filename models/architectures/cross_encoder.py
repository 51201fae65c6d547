"""Cross-encoder: query and passage in one sequence through all layers, and a head on the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import CONFIG_FILE, ModelFolder
from rerank.models.network import PreparedQuery
from rerank.models.runtime import ModelRuntime, PairClassifier
from rerank.models.tokenizer import Ids, Template, TextTokenizer

_PASSAGE_DIVISOR = 4
"""A passage keeps at least 1/4 of the tokens."""
_PAIR_LABELS = 2


class CrossEncoderNetwork:
    """PairNetwork over a classifier with one label, or with two: the logit is then their difference."""

    def __init__(self, classifier: PairClassifier, *, template: Template, max_tokens: int) -> None:
        self._classifier = classifier
        self._template = template
        self._room = max_tokens - template.special

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for a head that cannot rank, and for missing or broken weights."""
        if folder.labels > _PAIR_LABELS:
            raise ModelInvalid(
                f"{folder.weights / CONFIG_FILE}: a reranker must have one label, or two with the second for"
                f" relevant, got {folder.labels}"
            )
        return cls(runtime.classifier(folder), template=tokenizer.pair_template(), max_tokens=folder.max_tokens)

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
        head = np.concatenate([self._template.before, query, self._template.between])
        return _CrossEncoderQuery(self, head, self._room - len(query), len(query) + self._template.special)

    def mixed(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for one batch of n passages, each with its own query."""
        heads = [query.head for query in queries if isinstance(query, _CrossEncoderQuery)]
        return self.logits(heads, passages)

    def logits(self, heads: Sequence[Ids], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for n sequences: head (special tokens and query), then passage."""
        template = self._template
        texts = [np.concatenate([head, text, template.after]) for head, text in zip(heads, passages, strict=True)]
        rows = TokenRows.of(texts, pad_id=template.pad_id)
        types = rows.types([len(head) for head in heads], second_type=template.second_type)
        labels = self._classifier.labels(rows, types)  # (n, labels)
        return labels[:, 0] if labels.shape[1] == 1 else labels[:, 1] - labels[:, 0]


@dataclass(frozen=True)
class _CrossEncoderQuery:
    network: CrossEncoderNetwork
    head: Ids
    passage_room: int
    overhead: int

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits([self.head] * len(passages), passages)


def query_room(room: int) -> int:
    """Returns the tokens of *room* that a query can use: a passage keeps a quarter."""
    return room - room // _PASSAGE_DIVISOR

"""Cross-encoder: processes query and passage as one sequence, with a head on the first token."""

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
"""A quarter of the tokens is reserved for the passage, so that a long query cannot displace it."""
_PAIR_LABELS = 2


class CrossEncoderNetwork:
    """PairNetwork over a classifier. With two labels, the logit is the second label's minus the first's."""

    def __init__(self, classifier: PairClassifier, *, template: Template, max_tokens: int) -> None:
        self._classifier = classifier
        self._template = template
        self._max_pair_tokens = max_tokens - template.special

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for more than two labels and for missing or broken weights."""
        if folder.labels > _PAIR_LABELS:
            raise ModelInvalid(
                f"{folder.weights / CONFIG_FILE}: a reranker must have one label, or two of which the second"
                f" means relevant, got {folder.labels}"
            )
        return cls(runtime.classifier(folder), template=tokenizer.pair_template(), max_tokens=folder.max_tokens)

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
        head = np.concatenate([self._template.before, query, self._template.between])
        return _CrossEncoderQuery(self, head, self._max_pair_tokens - len(query), len(query) + self._template.special)

    def pair_logits(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for one batch of n passages, each with its own query."""
        heads = [query.head for query in queries if isinstance(query, _CrossEncoderQuery)]
        return self.logits(heads, passages)

    def logits(self, heads: Sequence[Ids], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for n sequences of a head (special tokens and query) and a passage."""
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
    max_passage_tokens: int
    overhead: int

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits([self.head] * len(passages), passages)


def max_query_tokens(max_pair_tokens: int) -> int:
    """Returns the maximum number of tokens of a query, of *max_pair_tokens* for query and passage."""
    return max_pair_tokens - max_pair_tokens // _PASSAGE_DIVISOR

"""The ordinary cross-encoder: query and passage in one sequence through every layer, a head on the first token."""

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

_PASSAGE_SHARE = 4
_PAIR_LABELS = 2


class CrossEncoderNetwork:
    """A PairNetwork over a classifier with one label, or with two, whose difference is then the logit."""

    def __init__(self, classifier: PairClassifier, *, template: Template, max_tokens: int) -> None:
        self._classifier = classifier
        self._template = template
        self._room = max_tokens - template.special

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Raises ModelInvalid for a head that gives no order, and for weights that are missing or broken."""
        if folder.labels > _PAIR_LABELS:
            raise ModelInvalid(
                f"{folder.weights / CONFIG_FILE}: {folder.labels} labels give no order;"
                " a model that ranks has one label, or two of which the second means relevant"
            )
        return cls(runtime.classifier(folder), template=tokenizer.pair_template(), max_tokens=folder.max_tokens)

    @property
    def pair_room(self) -> int:
        """Tokens of query and passage together, special tokens excluded."""
        return self._room

    @property
    def query_room(self) -> int:
        """Tokens of a query that are read at most."""
        return query_room(self._room)

    def read(self, query: Ids) -> PreparedQuery:
        """Begin with a query of at most `query_room` tokens."""
        head = np.concatenate([self._template.before, query, self._template.between])
        return _CrossEncoderQuery(self, head, self._room - len(query), len(query) + self._template.special)

    def mixed(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (n,) for n passages, each beside its own one of n readings of this network: one batch."""
        heads = [query.head for query in queries if isinstance(query, _CrossEncoderQuery)]
        return self.logits(heads, passages)

    def logits(self, heads: Sequence[Ids], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (n,) for n sequences, each with the head of its own: special tokens and query."""
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
    """How many of the *room* tokens for both texts a query may take: a passage keeps a quarter."""
    return room - room // _PASSAGE_SHARE

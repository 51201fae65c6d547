"""Classifier of single texts or of pairs: a cross-encoder that returns all outputs of its head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.runtime import ModelRuntime, PairClassifier
from rerank.models.tokenizer import Ids, Template, TextTokenizer


class ClassifierNetwork:
    """Network that adds the special tokens to texts within the limit and returns one logit per label."""

    def __init__(self, classifier: PairClassifier, *, templates: tuple[Template, Template], max_tokens: int) -> None:
        self._classifier = classifier
        self._single, self._pair = templates
        self._max_tokens = max_tokens

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for missing or broken weights."""
        templates = tokenizer.single_template(), tokenizer.pair_template()
        return cls(runtime.classifier(folder), templates=templates, max_tokens=folder.max_tokens)

    def max_text_tokens(self, *, pair: bool) -> int:
        """Returns the maximum number of tokens of one text, or of both texts of a pair, without special tokens."""
        return self._max_tokens - (self._pair if pair else self._single).special

    def logits(self, texts: Sequence[tuple[Ids, Ids | None]]) -> NDArray[np.float32]:
        """Returns float32 (len(texts), labels) for one batch of texts within `max_text_tokens`."""
        sequences, first_lengths = zip(*(self._sequence(first, second) for first, second in texts), strict=True)
        rows = TokenRows.of(sequences, pad_id=self._pair.pad_id)
        return self._classifier.labels(rows, rows.types(first_lengths, second_type=self._pair.second_type))

    def _sequence(self, first: Ids, second: Ids | None) -> tuple[Ids, int]:
        """Returns the sequence, and the position at which its second text starts."""
        if second is None:
            sequence = np.concatenate([self._single.before, first, self._single.after])
            return sequence, len(sequence)
        head = np.concatenate([self._pair.before, first, self._pair.between])
        return np.concatenate([head, second, self._pair.after]), len(head)

"""Bi-encoder: pools the token vectors of one text into one vector of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from rerank.core.document import Vectors
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.runtime import ModelRuntime, TextBody
from rerank.models.tokenizer import Ids, Template, TextTokenizer


class BiEncoderNetwork:
    """TextNetwork over a TextBody of a runtime."""

    def __init__(self, body: TextBody, *, template: Template, max_tokens: int) -> None:
        self._body = body
        self._template = template
        self._max_tokens = max_tokens

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, runtime: ModelRuntime) -> Self:
        """Loads the network. Raises ModelInvalid for missing or broken weights."""
        return cls(runtime.body(folder), template=tokenizer.single_template(), max_tokens=folder.max_tokens)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._body.dim

    @property
    def max_text_tokens(self) -> int:
        """Maximum number of tokens of a text, without special tokens."""
        return self._max_tokens - self._template.special

    def vectors(self, texts: Sequence[Ids]) -> Vectors:
        """Returns float32 (len(texts), dim), rows of unit length, for texts of at most `max_text_tokens` tokens."""
        template = self._template
        sequences = [np.concatenate([template.before, text, template.after]) for text in texts]
        return self._body.vectors(TokenRows.of(sequences, pad_id=template.pad_id))

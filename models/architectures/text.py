"""The bi-encoder: one text through every layer, its tokens' vectors pooled into one of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, cast

import numpy as np
import torch
from torch.nn import functional

from core.document import Vectors
from models.architectures.rows import Rows
from models.folder import ModelFolder
from models.runtimes.bert import BertEmbeddings, BertLayer, BertShape, bert_weights, in_family
from models.runtimes.torch import Placement, read_weights
from models.sentence_layout import Pooling
from models.tokenizer import Ids, Template, TextTokenizer


class TextBody(Protocol):
    """A network without a head."""

    @property
    def hidden(self) -> int:
        """Length of a token's vector."""

    def __call__(self, rows: Rows, *, first_only: bool) -> torch.Tensor:
        """(n, longest, hidden) in any precision; with *first_only* no more than (n, 1, hidden) is asked for."""


class BiEncoderNetwork:
    """A TextNetwork over a body and a way of pooling."""

    def __init__(self, body: TextBody, *, folder: ModelFolder, template: Template, placement: Placement) -> None:
        self._body = body
        self._pooling: Pooling = folder.layout.pooling
        self._template = template
        self._max_tokens = folder.max_tokens
        self._placement = placement

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, placement: Placement) -> Self:
        """Raises ModelInvalid for weights that are missing or broken."""
        return cls(_body(folder, placement), folder=folder, template=tokenizer.single_template(), placement=placement)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._body.hidden

    @property
    def text_room(self) -> int:
        """Tokens of a text that are read."""
        return self._max_tokens - self._template.special

    def vectors(self, texts: Sequence[Ids]) -> Vectors:
        """float32 (len(texts), dim), rows of unit length, for texts of at most `text_room` tokens."""
        template = self._template
        with torch.inference_mode():
            rows = Rows.of(
                [np.concatenate([template.before, text, template.after]) for text in texts],
                pad_id=template.pad_id,
                placement=self._placement,
            )
            hidden = self._body(rows, first_only=self._pooling == "cls")
            vectors = functional.normalize(self._pooled(rows, hidden), dim=-1)
            return cast(Vectors, vectors.cpu().numpy())

    def _pooled(self, rows: Rows, hidden: torch.Tensor) -> torch.Tensor:
        match self._pooling:
            case "mean":
                return rows.mean(hidden)
            case "cls":
                return hidden[:, 0].float()
            case "lasttoken":
                return hidden[torch.arange(len(hidden), device=hidden.device), rows.lengths - 1].float()


class BertBody:
    """A TextBody of the BERT family."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        shape = BertShape.of(folder)
        weights, _ = bert_weights(read_weights(folder))
        self.hidden = shape.hidden
        self._embeddings = BertEmbeddings(weights, folder=folder, placement=placement)
        self._layers = [BertLayer(weights, i, folder=folder, placement=placement) for i in range(shape.layers)]

    def __call__(self, rows: Rows, *, first_only: bool) -> torch.Tensor:
        """(n, longest, hidden), or (n, 1, hidden)."""
        hidden, bias = self._embeddings(rows.ids), rows.bias
        for layer in self._layers[:-1]:
            hidden = layer(hidden, bias)
        return self._layers[-1](hidden, bias, first_only=first_only)


def _body(folder: ModelFolder, placement: Placement) -> TextBody:
    if in_family(folder):
        return BertBody(folder, placement=placement)
    from models.runtimes.hugging_face import HuggingFaceBody

    return HuggingFaceBody(folder, placement=placement)

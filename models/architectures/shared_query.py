"""The joint reranker for inference: the query's lower half once a request, a passage's beside others of its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.errors import ModelInvalid
from models.architectures.cross import as_float32, query_room
from models.architectures.rows import Rows
from models.folder import CONFIG_FILE, ModelFolder
from models.network import QueryReading
from models.runtimes.bert import BertEmbeddings, BertLayer, BertShape, bert_weights, in_family
from models.runtimes.torch import Placement, read_weights, tensor
from models.tokenizer import Ids, Template, TextTokenizer

_APART_KEY = "joint_apart_layers"


class JointNetwork:
    """A PairNetwork with the weights and the arithmetic of JointReranker, where they are trained."""

    def __init__(self, folder: ModelFolder, *, template: Template, placement: Placement) -> None:
        layers, apart = BertShape.of(folder).layers, folder.config.get(_APART_KEY)
        if not isinstance(apart, int) or not 0 <= apart < layers or not in_family(folder):
            raise ModelInvalid(
                f"{folder.weights / CONFIG_FILE}: a joint reranker is a BERT with {_APART_KEY} from 0 to {layers - 1}"
            )
        weights = read_weights(folder)
        body, _ = bert_weights(weights)
        self._embeddings = BertEmbeddings(body, folder=folder, placement=placement)
        stack = [BertLayer(body, i, folder=folder, placement=placement) for i in range(layers)]
        self._apart, self._together = stack[:apart], stack[apart:]
        self._scale, self._bias, self._head = (
            tensor(weights, f"joint.{name}", folder=folder).to(placement.device)
            for name in ("scale", "bias", "head.weight")
        )
        self._template = template
        self._room = folder.max_tokens - 2 * template.special
        self._placement = placement

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, placement: Placement) -> Self:
        """Raises ModelInvalid for weights that are missing, broken, or no joint reranker's."""
        return cls(folder, template=tokenizer.single_template(), placement=placement)

    @property
    def pair_room(self) -> int:
        """Tokens of query and passage together, special tokens excluded."""
        return self._room

    @property
    def query_room(self) -> int:
        """Tokens of a query that are read at most."""
        return query_room(self._room)

    def read(self, query: Ids) -> QueryReading:
        """Begin with a query of at most `query_room` tokens."""
        return _JointReading(self, query, self._room - len(query), len(query) + 2 * self._template.special)

    def lower_half(self, query: Ids) -> torch.Tensor:
        """(1, tokens, hidden): what the lower layers make of a query."""
        with torch.inference_mode():
            return self._lower([query])[1]

    def logits(self, query: torch.Tensor, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (len(passages),) for a query (1, tokens, hidden) that has been through the lower layers."""
        with torch.inference_mode():
            rows, hidden = self._lower(passages)
            n, length, bias = len(passages), query.shape[1], rows.bias
            hidden = torch.cat([query.expand(n, -1, -1), hidden], dim=1)  # (n, query + passage, hidden)
            if bias is not None:
                bias = functional.pad(bias, (length, 0))  # nothing of the query is padding
            for layer in self._together:
                hidden = layer(hidden, bias)
            query_means = functional.normalize(hidden[:, :length].float().mean(1), dim=-1)
            product = query_means * functional.normalize(rows.mean(hidden[:, length:]), dim=-1)  # (n, hidden)
            similarity = product.sum(-1) + product @ self._head[0]
            return as_float32(self._scale * similarity + self._bias)

    def _lower(self, texts: Sequence[Ids]) -> tuple[Rows, torch.Tensor]:
        template = self._template
        rows = Rows.of(
            [np.concatenate([template.before, text, template.after]) for text in texts],
            pad_id=template.pad_id,
            placement=self._placement,
        )
        hidden, bias = self._embeddings(rows.ids), rows.bias
        for layer in self._apart:
            hidden = layer(hidden, bias)
        return rows, hidden


@dataclass(frozen=True)
class _JointReading:
    network: JointNetwork
    query: Ids
    passage_room: int
    overhead: int

    @cached_property
    def hidden(self) -> torch.Tensor:
        return self.network.lower_half(self.query)

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits(self.hidden, passages)

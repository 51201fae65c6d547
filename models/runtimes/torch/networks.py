"""Networks of the three architectures in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rerank.core.document import Vectors
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.runtime import LowerOutput
from rerank.models.runtimes.bert_family import BertShape, bert_weights, head_names, is_bert_family, lower_layer_count
from rerank.models.runtimes.torch.bert import BertEmbeddings, BertLayer
from rerank.models.runtimes.torch.placement import Placement, read_weights, tensor
from rerank.models.runtimes.torch.rows import TorchRows, on_device
from rerank.models.sentence_transformers_layout import Pooling

if TYPE_CHECKING:
    from rerank.models.runtimes.torch.hugging_face import HuggingFaceBody

Classify = Callable[[TorchRows, torch.Tensor], torch.Tensor]
"""Function that returns float32 (n, labels) for rows and their token types int64 (n, longest)."""


class TorchClassifier:
    """PairClassifier in torch."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        self._placement = placement
        self._classify = self._classifier(folder)

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> NDArray[np.float32]:
        """Returns float32 (n, labels) for rows and their token types (n, longest)."""
        with torch.inference_mode():
            torch_rows = TorchRows.of(rows, placement=self._placement)
            return _as_float32(self._classify(torch_rows, on_device(types, self._placement)))

    def _classifier(self, folder: ModelFolder) -> Classify:
        if is_bert_family(folder):
            return BertClassifier(folder, placement=self._placement)
        from rerank.models.runtimes.torch.hugging_face import HuggingFaceClassifier

        return HuggingFaceClassifier(folder, placement=self._placement)


class BertClassifier:
    """Classifier of the BERT family. The dense layer and the output layer run in float32."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        body, head = bert_weights(read_weights(folder))
        self._embeddings = BertEmbeddings(body, folder=folder, placement=placement)
        layers = range(BertShape.of(folder).layers)
        self._layers = [BertLayer(body, i, folder=folder, placement=placement) for i in layers]
        tensors = {**head, **body}
        self._dense, self._out = (
            tuple(tensor(tensors, f"{name}.{part}", folder=folder).to(placement.device) for part in ("weight", "bias"))
            for name in head_names(head)
        )

    def __call__(self, rows: TorchRows, types: torch.Tensor) -> torch.Tensor:
        """Returns float32 (n, labels)."""
        hidden, bias = self._embeddings(rows.ids, types), rows.bias
        for layer in self._layers[:-1]:
            hidden = layer(hidden, bias)
        first = self._layers[-1](hidden, bias, first_only=True)[:, 0].float()  # (n, hidden)
        return functional.linear(torch.tanh(functional.linear(first, *self._dense)), *self._out)


class TorchBody:
    """TextBody in torch."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        self._placement = placement
        self._pooling: Pooling = folder.layout.pooling
        self._body: BertBody | HuggingFaceBody
        if is_bert_family(folder):
            self._body = BertBody(folder, placement=placement)
        else:
            from rerank.models.runtimes.torch.hugging_face import HuggingFaceBody

            self._body = HuggingFaceBody(folder, placement=placement)
        self.dim = self._body.hidden

    def vectors(self, rows: TokenRows) -> Vectors:
        """Returns float32 (n, dim), rows of unit length."""
        with torch.inference_mode():
            torch_rows = TorchRows.of(rows, placement=self._placement)
            hidden = self._body(torch_rows, first_only=self._pooling == "cls")
            vectors = functional.normalize(self._pooled(torch_rows, hidden), dim=-1)
            return cast(Vectors, vectors.cpu().numpy())

    def _pooled(self, rows: TorchRows, hidden: torch.Tensor) -> torch.Tensor:
        match self._pooling:
            case "mean":
                return rows.mean(hidden)
            case "cls":
                return hidden[:, 0].float()
            case "lasttoken":
                return hidden[torch.arange(len(hidden), device=hidden.device), rows.lengths - 1].float()


class BertBody:
    """Body of the BERT family."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        shape = BertShape.of(folder)
        weights, _ = bert_weights(read_weights(folder))
        self.hidden = shape.hidden
        self._embeddings = BertEmbeddings(weights, folder=folder, placement=placement)
        self._layers = [BertLayer(weights, i, folder=folder, placement=placement) for i in range(shape.layers)]

    def __call__(self, rows: TorchRows, *, first_only: bool) -> torch.Tensor:
        """Returns (n, longest, hidden), or (n, 1, hidden) with *first_only*."""
        hidden, bias = self._embeddings(rows.ids), rows.bias
        for layer in self._layers[:-1]:
            hidden = layer(hidden, bias)
        return self._layers[-1](hidden, bias, first_only=first_only)


class TorchJointLayers:
    """JointLayers with the weights and the arithmetic of JointReranker."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        count = lower_layer_count(folder)
        weights = read_weights(folder)
        body, _ = bert_weights(weights)
        self._embeddings = BertEmbeddings(body, folder=folder, placement=placement)
        layers = range(BertShape.of(folder).layers)
        bert_layers = [BertLayer(body, i, folder=folder, placement=placement) for i in layers]
        self._lower_layers, self._upper_layers = bert_layers[:count], bert_layers[count:]
        self._scale, self._bias, self._head = (
            tensor(weights, f"joint.{name}", folder=folder).to(placement.device)
            for name in ("scale", "bias", "head.weight")
        )
        self._placement = placement

    def lower_output(self, rows: TokenRows) -> LowerOutput:
        """Returns the output of the lower layers, (1, tokens, hidden) on the device, for a single row."""
        with torch.inference_mode():
            return self._lower(TorchRows.of(rows, placement=self._placement))

    def logits(self, query: LowerOutput, passages: TokenRows) -> NDArray[np.float32]:
        """Returns float32 (n,) for n passages and the output of the lower layers for a query."""
        with torch.inference_mode():
            rows, query_hidden = TorchRows.of(passages, placement=self._placement), cast(torch.Tensor, query)
            n, length, bias = len(passages.ids), query_hidden.shape[1], rows.bias
            hidden = torch.cat(
                [query_hidden.expand(n, -1, -1), self._lower(rows)], dim=1
            )  # (n, query + passage, hidden)
            if bias is not None:
                bias = functional.pad(bias, (length, 0))  # The query has no padding.
            for layer in self._upper_layers:
                hidden = layer(hidden, bias)
            query_means = functional.normalize(hidden[:, :length].float().mean(1), dim=-1)
            product = query_means * functional.normalize(rows.mean(hidden[:, length:]), dim=-1)  # (n, hidden)
            similarity = product.sum(-1) + product @ self._head[0]
            return _as_float32(self._scale * similarity + self._bias)

    def _lower(self, rows: TorchRows) -> torch.Tensor:
        hidden, bias = self._embeddings(rows.ids), rows.bias
        for layer in self._lower_layers:
            hidden = layer(hidden, bias)
        return hidden


def _as_float32(numbers: torch.Tensor) -> NDArray[np.float32]:
    """Returns a tensor of any precision on any device as a numpy array."""
    return cast("NDArray[np.float32]", numbers.float().cpu().numpy())

"""The ordinary cross-encoder: query and passage in one sequence through every layer, a head on the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.errors import ModelInvalid
from models.architectures.rows import Rows
from models.folder import CONFIG_FILE, ModelFolder
from models.network import QueryReading
from models.runtimes.bert import BertEmbeddings, BertLayer, BertShape, bert_weights, in_family
from models.runtimes.torch import Placement, read_weights, tensor
from models.tokenizer import Ids, Template, TextTokenizer

_PASSAGE_SHARE = 4
_PAIR_LABELS = 2


class PairClassifier(Protocol):
    """A network over whole sequences, with a head."""

    def __call__(self, rows: Rows, types: torch.Tensor) -> torch.Tensor:
        """Rows and their token types int64 (n, longest) -> float32 (n, labels)."""


class CrossEncoderNetwork:
    """A PairNetwork over a classifier with one label, or with two, whose difference is then the logit."""

    def __init__(
        self, classifier: PairClassifier, *, template: Template, max_tokens: int, placement: Placement
    ) -> None:
        self._classifier = classifier
        self._template = template
        self._room = max_tokens - template.special
        self._placement = placement

    @classmethod
    def from_folder(cls, folder: ModelFolder, tokenizer: TextTokenizer, *, placement: Placement) -> Self:
        """Raises ModelInvalid for a head that gives no order, and for weights that are missing or broken."""
        if folder.labels > _PAIR_LABELS:
            raise ModelInvalid(
                f"{folder.weights / CONFIG_FILE}: {folder.labels} labels give no order;"
                " a model that ranks has one label, or two of which the second means relevant"
            )
        classifier = _classifier(folder, placement)
        return cls(classifier, template=tokenizer.pair_template(), max_tokens=folder.max_tokens, placement=placement)

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
        head = np.concatenate([self._template.before, query, self._template.between])
        return _CrossReading(self, head, self._room - len(query), len(query) + self._template.special)

    def mixed(self, queries: Sequence[QueryReading], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (n,) for n passages, each beside its own one of n readings of this network: one batch."""
        heads = [query.head for query in queries if isinstance(query, _CrossReading)]
        return self.logits(heads, passages)

    def logits(self, heads: Sequence[Ids], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (n,) for n sequences, each with the head of its own: special tokens and query."""
        template = self._template
        with torch.inference_mode():
            rows = Rows.of(
                [
                    np.concatenate([head, passage, template.after])
                    for head, passage in zip(heads, passages, strict=True)
                ],
                pad_id=template.pad_id,
                placement=self._placement,
            )
            lengths = torch.tensor([len(head) for head in heads], device=rows.ids.device)
            second = torch.arange(rows.longest, device=rows.ids.device) >= lengths[:, None]  # (n, longest)
            types = second.long() * template.second_type
            labels = self._classifier(rows, types)  # (n, labels)
            logits = labels[:, 0] if labels.shape[1] == 1 else labels[:, 1] - labels[:, 0]
            return as_float32(logits)


@dataclass(frozen=True)
class _CrossReading:
    network: CrossEncoderNetwork
    head: Ids
    passage_room: int
    overhead: int

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        return self.network.logits([self.head] * len(passages), passages)


class BertClassifier:
    """A PairClassifier of the BERT family: the pooler (or RoBERTa's dense layer) and the classifier, in float32."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        body, head = bert_weights(read_weights(folder))
        self._embeddings = BertEmbeddings(body, folder=folder, placement=placement)
        layers = range(BertShape.of(folder).layers)
        self._layers = [BertLayer(body, i, folder=folder, placement=placement) for i in layers]
        if "classifier.out_proj.weight" in head:
            names = ((head, "classifier.dense"), (head, "classifier.out_proj"))
        else:
            names = ((body, "pooler.dense"), (head, "classifier"))
        self._dense, self._out = (
            tuple(tensor(weights, f"{name}.{part}", folder=folder).to(placement.device) for part in ("weight", "bias"))
            for weights, name in names
        )

    def __call__(self, rows: Rows, types: torch.Tensor) -> torch.Tensor:
        """float32 (n, labels)."""
        hidden, bias = self._embeddings(rows.ids, types), rows.bias
        for layer in self._layers[:-1]:
            hidden = layer(hidden, bias)
        first = self._layers[-1](hidden, bias, first_only=True)[:, 0].float()  # (n, hidden)
        return functional.linear(torch.tanh(functional.linear(first, *self._dense)), *self._out)


def query_room(room: int) -> int:
    """How many of the *room* tokens for both texts a query may take: a passage keeps a quarter."""
    return room - room // _PASSAGE_SHARE


def as_float32(logits: torch.Tensor) -> NDArray[np.float32]:
    """(n,) in any precision, on any device, as a numpy array."""
    return cast("NDArray[np.float32]", logits.float().cpu().numpy())


def _classifier(folder: ModelFolder, placement: Placement) -> PairClassifier:
    if in_family(folder):
        return BertClassifier(folder, placement=placement)
    from models.runtimes.hugging_face import HuggingFaceClassifier

    return HuggingFaceClassifier(folder, placement=placement)

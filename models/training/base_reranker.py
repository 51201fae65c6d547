"""Base model of the training of a reranker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from transformers import PreTrainedTokenizerBase

from rerank.core.errors import ModelInvalid
from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import transformers_folder
from rerank.models.training.data.list_batches import CrossEncoderListBatches, JointListBatches, ListBatches
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.losses.trainable import without_dropout
from rerank.models.training.options import Student
from rerank.models.training.pretrained import open_cross_encoder, open_tokenizer, save_pretrained
from rerank.models.training.scorers import CrossEncoderScorer, JointScorer

SERVED_TOKENS = 512


@dataclass(frozen=True)
class BaseReranker:
    """Scorer under training with its tokenizer. `teacher` names the encoder that regularises it."""

    folder: ModelFolder
    scorer: JointScorer | CrossEncoderScorer
    tokenizer: PreTrainedTokenizerBase
    teacher: str

    @property
    def architecture(self) -> str:
        """The architecture's name in rerank.json."""
        return "joint" if isinstance(self.scorer, JointScorer) else "cross-encoder"

    @property
    def served_tokens(self) -> int:
        """Maximum number of tokens of query and passage together when the model serves."""
        if self.architecture == "cross-encoder":
            return self.folder.max_tokens
        positions = self.folder.config.get("max_position_embeddings")
        return min(SERVED_TOKENS, positions) if isinstance(positions, int) else SERVED_TOKENS

    def batches(self, lists: Sequence[RankingList], *, query_tokens: int, max_tokens: int) -> ListBatches:
        """Returns *lists*, tokenized for this scorer."""
        batch_type: Callable[..., ListBatches] = (
            JointListBatches if self.architecture == "joint" else CrossEncoderListBatches
        )
        return batch_type(lists, self.tokenizer, query_tokens=query_tokens, max_tokens=max_tokens)

    def keep_layers(self, count: int) -> None:
        """Keeps *count* of the layers, evenly spread, including the first and the last, and removes the others.

        Raises ModelInvalid if the model has fewer layers, or no list of layers that can be reduced.
        """
        network: Any = self.scorer.joint.bert if isinstance(self.scorer, JointScorer) else self.scorer.cross.base_model
        layers = getattr(getattr(network, "encoder", None), "layer", None)
        if layers is None:
            raise ModelInvalid(f"{self.folder.path} has no `encoder.layer`. Omit --layers to keep the whole network.")
        if not 1 <= count <= len(layers):
            raise ModelInvalid(f"--layers must be from 1 to {len(layers)} for {self.folder.path}, got {count}.")
        positions = np.linspace(0, len(layers) - 1, count).round().astype(int).tolist() if count > 1 else [0]
        network.encoder.layer = nn.ModuleList([layers[position] for position in positions])
        network.config.num_hidden_layers = count
        if isinstance(self.scorer, JointScorer):
            self.scorer.joint.lower_layers = count // 2

    def save(self, folder: Path) -> None:
        """Writes the weights, the configuration and the tokenizer. Raises OSError."""
        if isinstance(self.scorer, JointScorer):
            self.scorer.joint.save(folder, tokenizer_from=self.folder.weights)
        else:
            save_pretrained(self.scorer.cross, self.tokenizer, folder)


def open_base_reranker(name: str | Path | None, *, student: Student = "joint") -> BaseReranker:
    """Returns the model *name*, ready for training. None selects the built-in encoder.

    A bi-encoder is converted to a *student*. Raises ModelNotFound if the model does not exist, ModelInvalid if it
    cannot become a reranker.
    """
    folder = resolve(DEFAULT if name is None else str(name), role="encoder")
    tokenizer = open_tokenizer(folder)
    if folder.architecture == "cross-encoder":
        return BaseReranker(folder, CrossEncoderScorer(open_cross_encoder(folder)), tokenizer, DEFAULT)
    if folder.architecture == "joint":
        scorer = JointScorer(_trainable(JointReranker.from_folder(folder.weights)))
        return BaseReranker(folder, scorer, tokenizer, DEFAULT)
    if student == "cross-encoder":
        return BaseReranker(
            folder, CrossEncoderScorer(open_cross_encoder(folder, new_head=True)), tokenizer, folder.name
        )
    with transformers_folder(folder) as path:
        joint = JointReranker.from_encoder(path)
    return BaseReranker(folder, JointScorer(_trainable(joint)), tokenizer, folder.name)


def _trainable(joint: JointReranker) -> JointReranker:
    """Returns *joint* without dropout and with frozen word embeddings.

    A joint reranker starts close to its encoder's quality and usually sees little data.
    """
    joint.bert.embeddings.requires_grad_(False)
    trainable: JointReranker = without_dropout(joint)
    return trainable

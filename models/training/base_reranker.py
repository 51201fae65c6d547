"""What a reranker's training starts from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from rerank.core.errors import ModelInvalid
from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.torch.quiet import quiet
from rerank.models.training.data.list_batches import CrossEncoderListBatches, JointListBatches, ListBatches
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.losses.ranking_module import CrossScorer, JointScorer
from rerank.models.training.losses.trainable import without_dropout
from rerank.models.training.options import Student

SERVED_TOKENS = 512


@dataclass(frozen=True)
class BaseReranker:
    """A scorer with its weights, its tokenizer, and the encoder that teaches it."""

    folder: ModelFolder
    scorer: JointScorer | CrossScorer
    tokenizer: PreTrainedTokenizerBase
    teacher: str

    @property
    def architecture(self) -> str:
        """As rerank.json names it."""
        return "joint" if isinstance(self.scorer, JointScorer) else "cross-encoder"

    @property
    def served_tokens(self) -> int:
        """Tokens of both texts together that the model may read when it serves."""
        if self.architecture == "cross-encoder":
            return self.folder.max_tokens
        positions = self.folder.config.get("max_position_embeddings")
        return min(SERVED_TOKENS, positions) if isinstance(positions, int) else SERVED_TOKENS

    def batches(self, lists: Sequence[RankingList], *, query_tokens: int, max_tokens: int) -> ListBatches:
        """*lists* as this scorer reads them."""
        make: Callable[..., ListBatches] = JointListBatches if self.architecture == "joint" else CrossEncoderListBatches
        return make(lists, self.tokenizer, query_tokens=query_tokens, max_tokens=max_tokens)

    def keep_layers(self, layers: int) -> None:
        """Keep *layers* of the layers, evenly spread, the first and the last among them.

        Raises ModelInvalid where there are not so many, or they cannot be told.
        """
        network: Any = self.scorer.joint.bert if isinstance(self.scorer, JointScorer) else self.scorer.cross.base_model
        there = getattr(getattr(network, "encoder", None), "layer", None)
        if there is None or not 1 <= layers <= len(there):
            count = "layers that cannot be taken apart" if there is None else f"{len(there)} layers"
            raise ModelInvalid(f"{self.folder.path} has {count}; {layers} of them cannot be kept")
        kept = np.linspace(0, len(there) - 1, layers).round().astype(int).tolist() if layers > 1 else [0]
        network.encoder.layer = nn.ModuleList([there[place] for place in kept])
        network.config.num_hidden_layers = layers
        if isinstance(self.scorer, JointScorer):
            self.scorer.joint.apart_layers = layers // 2

    def save(self, folder: Path) -> None:
        """Write the weights, the configuration and the tokenizer. Raises OSError."""
        if isinstance(self.scorer, JointScorer):
            self.scorer.joint.save(folder, tokenizer_from=self.folder.weights)
        else:
            save_cross_encoder(self.scorer.cross, self.tokenizer, folder)


def open_base_reranker(name: str | Path | None, *, student: Student = "joint") -> BaseReranker:
    """The model that *name* means, ready to be trained; a bi-encoder becomes *student*. None: the built-in one.

    Raises ModelNotFound where there is none, ModelInvalid where it cannot become a reranker.
    """
    folder = resolve(DEFAULT if name is None else str(name), role="encoder")
    tokenizer = open_tokenizer(folder)
    if folder.architecture == "cross-encoder":
        return BaseReranker(folder, CrossScorer(open_cross_encoder(folder)), tokenizer, DEFAULT)
    if folder.architecture == "joint":
        return BaseReranker(
            folder, JointScorer(_trainable(JointReranker.from_folder(folder.weights))), tokenizer, DEFAULT
        )
    if student == "cross-encoder":
        return BaseReranker(folder, CrossScorer(open_cross_encoder(folder, new_head=True)), tokenizer, folder.name)
    joint = JointReranker.from_encoder(folder.weights)
    return BaseReranker(folder, JointScorer(_trainable(joint)), tokenizer, folder.name)


def open_cross_encoder(folder: ModelFolder, *, new_head: bool = False, labels: int = 1) -> nn.Module:
    """A transformers model with *labels*; *new_head* allows a folder without a head, which gets a random one.

    Raises ModelInvalid for a folder with another number of labels, or that cannot be loaded.
    """
    if folder.kind != "encoder" and (folder.architecture == "joint" or folder.labels != labels):
        head = "is a joint reranker" if folder.architecture == "joint" else f"has a head of {folder.labels} labels"
        raise ModelInvalid(
            f"{folder.path} {head}; training starts from {labels} label{'s' * (labels > 1)}, or from an encoder"
        )
    if folder.kind == "encoder" and not new_head:
        raise ModelInvalid(f"{folder.path} has no head")
    try:
        with quiet():
            model: nn.Module = AutoModelForSequenceClassification.from_pretrained(
                folder.weights, num_labels=labels, dtype=torch.float32, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as exc:
        raise ModelInvalid(f"{folder.path}: cannot be loaded as a cross-encoder: {exc}") from exc
    return model


def save_cross_encoder(cross: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a transformers model and its tokenizer. Raises OSError."""
    with quiet():
        cross.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def open_tokenizer(folder: ModelFolder) -> PreTrainedTokenizerBase:
    """The folder's tokenizer. Raises ModelInvalid where it has none."""
    try:
        with quiet():
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder.weights, local_files_only=True)
    except (OSError, ValueError, KeyError, AttributeError) as exc:
        raise ModelInvalid(f"{folder.path}: its tokenizer cannot be loaded: {exc}") from exc
    return tokenizer


def _trainable(joint: JointReranker) -> JointReranker:
    """Without dropout and with the words' vectors held: it is nearly right from the start, and little data follows."""
    joint.bert.embeddings.requires_grad_(False)
    trainable: JointReranker = without_dropout(joint)
    return trainable

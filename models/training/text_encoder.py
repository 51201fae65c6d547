"""A bi-encoder that can be trained: transformers' network, and the pooling that its folder names."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel

from rerank.core.document import Vectors
from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.torch.quiet import quiet
from rerank.models.sentence_layout import Pooling
from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.losses.trainable import without_dropout
from rerank.models.training.precision import autocast

_EVALUATED = 64
WORDS = "word_embeddings"
"""What the parameter with the words' vectors is called in networks of the BERT family."""


class TextEncoder(nn.Module):
    """Token ids to vectors of unit length."""

    def __init__(self, body: Any, pooling: Pooling) -> None:
        super().__init__()
        self.body = body
        self._pooling = pooling

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids and mask int64 (n, length) -> float32 (n, dim), rows of unit length."""
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state.float()  # (n, length, dim)
        match self._pooling:
            case "mean":
                weights = mask.unsqueeze(-1).float()
                pooled = (hidden * weights).sum(1) / weights.sum(1)
            case "cls":
                pooled = hidden[:, 0]
            case "lasttoken":
                pooled = hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
        return nn.functional.normalize(pooled, dim=-1)

    def vectors(self, texts: TextBatches) -> Vectors:
        """float32 (n, dim) of all *texts*, in their order, as the model is now."""
        device = next(self.parameters()).device
        order = np.argsort(texts.lengths, kind="stable").tolist()
        rows: dict[int, Vectors] = {}
        self.eval()
        for start in range(0, len(order), _EVALUATED):
            places = order[start : start + _EVALUATED]
            ids, mask = (part.to(device) for part in texts.batch(places))
            with torch.inference_mode(), autocast():
                rows.update(zip(places, self(ids, mask).cpu().numpy(), strict=True))
        self.train()
        return np.stack([rows[place] for place in range(len(order))])


def open_text_encoder(folder: ModelFolder) -> TextEncoder:
    """The folder's bi-encoder in float32, set to train without dropout. Raises ModelInvalid where it holds none."""
    if folder.kind != "encoder":
        raise ModelInvalid(f"{folder.path} holds a model of kind {folder.kind}; an encoder starts from an encoder")
    try:
        with quiet():
            # Without the pooler, which no pooling here reads: a parameter that gets no gradient.
            more = {"add_pooling_layer": False} if folder.config.get("model_type") == "bert" else {}
            body = AutoModel.from_pretrained(folder.weights, dtype=torch.float32, local_files_only=True, **more)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as exc:
        raise ModelInvalid(f"{folder.path}: cannot be loaded as an encoder: {exc}") from exc
    encoder: TextEncoder = without_dropout(TextEncoder(body, folder.layout.pooling))
    return encoder

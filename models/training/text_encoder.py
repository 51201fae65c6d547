"""A bi-encoder under training, in the folder layout of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedTokenizerBase

from rerank.core.document import Vectors
from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import transformers_folder
from rerank.models.runtimes.torch.transformers_output import silence_transformers
from rerank.models.sentence_transformers_layout import Pooling
from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.losses.trainable import without_dropout
from rerank.models.training.precision import autocast
from rerank.models.training.pretrained import save_pretrained

WORD_EMBEDDINGS = "word_embeddings"
"""Part of the word embeddings' parameter name in networks of the BERT family."""
_BATCH = 64
_MODULES = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
_POOLING_KEYS = {"mean": "mean_tokens", "cls": "cls_token", "lasttoken": "lasttoken"}


class TextEncoder(nn.Module):
    """Network that turns token ids into vectors of unit length."""

    def __init__(self, body: Any, pooling: Pooling) -> None:
        super().__init__()
        self.body = body
        self._pooling = pooling

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Returns vectors, float32 (n, dim), for ids and mask, int64 (n, length)."""
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

    def encode(self, texts: TextBatches) -> Vectors:
        """Returns the vectors of all *texts*, float32 (n, dim), with the current weights."""
        device = next(self.parameters()).device
        order = np.argsort(texts.lengths, kind="stable").tolist()
        vectors: dict[int, Vectors] = {}
        self.eval()
        for start in range(0, len(order), _BATCH):
            indices = order[start : start + _BATCH]
            ids, mask = (part.to(device) for part in texts.batch(indices))
            with torch.inference_mode(), autocast():
                vectors.update(zip(indices, self(ids, mask).cpu().numpy(), strict=True))
        self.train()
        return np.stack([vectors[index] for index in range(len(order))])


def open_text_encoder(folder: ModelFolder) -> TextEncoder:
    """Returns the folder's bi-encoder in float32, in training mode without dropout.

    Raises ModelInvalid if the folder has no encoder.
    """
    if folder.kind != "encoder":
        raise ModelInvalid(f"{folder.path} must be an encoder, got a {folder.kind}.")
    try:
        with silence_transformers():
            # The pooler is unused: its parameters would never get a gradient.
            options = {"add_pooling_layer": False} if folder.config.get("model_type") == "bert" else {}
            with transformers_folder(folder) as path:
                body = AutoModel.from_pretrained(
                    path,
                    dtype=torch.float32,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    **options,
                )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as exc:
        raise ModelInvalid(f"{folder.path}: cannot load the model as an encoder: {exc}") from exc
    encoder: TextEncoder = without_dropout(TextEncoder(body, folder.layout.pooling))
    return encoder


def save_text_encoder(
    encoder: TextEncoder, tokenizer: PreTrainedTokenizerBase, folder: Path, *, base: ModelFolder
) -> None:
    """Writes weights in float32, tokenizer, and the pooling and prompts of *base*. Raises OSError."""
    save_pretrained(encoder.body, tokenizer, folder)
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(_MODULES)
    ]
    _write_json(folder / "modules.json", modules)
    pooling = {f"pooling_mode_{key}": mode == base.layout.pooling for mode, key in _POOLING_KEYS.items()}
    _write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": encoder.dim, **pooling})
    (folder / "2_Normalize").mkdir(exist_ok=True)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": base.max_tokens, "do_lower_case": False})
    _write_json(
        folder / "config_sentence_transformers.json", {"prompts": dict(base.prompts), "similarity_fn_name": "cosine"}
    )


def _write_json(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

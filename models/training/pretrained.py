"""Transformers models and tokenizers, loaded from model folders for training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import transformers_folder
from rerank.models.runtimes.torch.transformers_output import silence_transformers


def open_tokenizer(folder: ModelFolder) -> PreTrainedTokenizerBase:
    """Returns the folder's tokenizer. Raises ModelInvalid if it cannot be loaded."""
    folder.check_tokenizer()
    try:
        with silence_transformers():
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                folder.weights, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, AttributeError) as exc:
        raise ModelInvalid(f"{folder.path}: cannot load the tokenizer: {exc}") from exc
    return tokenizer


def open_cross_encoder(folder: ModelFolder, *, new_head: bool = False, labels: int = 1) -> nn.Module:
    """Returns the folder's model as a transformers classifier with *labels* outputs.

    With *new_head*, an encoder without a head gets a randomly initialised one. Raises ModelInvalid if the model has a
    different number of labels or cannot be loaded.
    """
    if folder.kind != "encoder" and (folder.architecture == "joint" or folder.labels != labels):
        found = "is a joint reranker" if folder.architecture == "joint" else f"has a head of {folder.labels} labels"
        plural = "s" if labels > 1 else ""
        raise ModelInvalid(
            f"{folder.path} {found}. The base model must have a head of {labels} label{plural}, or be an encoder."
        )
    if folder.kind == "encoder" and not new_head:
        raise ModelInvalid(f"{folder.path} has no classification head.")
    try:
        with silence_transformers(), transformers_folder(folder) as path:
            model: nn.Module = AutoModelForSequenceClassification.from_pretrained(
                path,
                num_labels=labels,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as exc:
        raise ModelInvalid(f"{folder.path}: cannot load the model as a cross-encoder: {exc}") from exc
    return model


def save_pretrained(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Writes a transformers model and its tokenizer. Raises OSError."""
    with silence_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

"""Tiny random models of every kind, built in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    PretrainedConfig,
    RobertaConfig,
)

from rerank.models.runtimes.torch.transformers_output import silence_transformers

WORDS = ("what is a the cat dog tea green how to of and in warm cold long short one two three this it . ,").split()  # noqa: SIM905
SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def tokenizer(folder: Path, *, roberta: bool = False, max_length: int = 64) -> int:
    """Writes a word-piece tokenizer. Returns the size of its vocabulary."""
    first, last, pad, unknown = ("<s>", "</s>", "<pad>", "<unk>") if roberta else ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
    special = [first, pad, last, unknown] if roberta else [pad, unknown, first, last]
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    vocabulary = dict.fromkeys([*special, *WORDS, *letters, *(f"##{letter}" for letter in letters)])
    ids = {token: i for i, token in enumerate(vocabulary)}
    built = Tokenizer(models.WordPiece(ids, unk_token=unknown))
    built.normalizer = normalizers.BertNormalizer()
    built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    built.add_special_tokens(special)
    ends = (last, ids[last]), (first, ids[first])
    built.post_processor = (
        processors.RobertaProcessing(*ends, add_prefix_space=False) if roberta else processors.BertProcessing(*ends)
    )
    folder.mkdir(parents=True, exist_ok=True)
    built.save(str(folder / "tokenizer.json"))
    names = {"cls_token": first, "sep_token": last, "pad_token": pad, "unk_token": unknown}
    inputs = ["input_ids", "attention_mask"] if roberta else ["input_ids", "token_type_ids", "attention_mask"]
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length, "model_input_names": inputs}
    write_json(folder / "tokenizer_config.json", {**kind, **names})
    return len(ids)


def write_json(file: Path, value: object) -> Path:
    """Writes *value* as JSON. Returns *file*."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), encoding="utf-8")
    return file


def bert(folder: Path, *, labels: int | None = None, half: bool = False, max_length: int = 64, **more: Any) -> Path:
    """Writes a BERT: an encoder, or a cross-encoder with *labels*. *half*: store float16 weights."""
    size = tokenizer(folder, max_length=max_length)
    return _saved(BertConfig(vocab_size=size, max_position_embeddings=64, **SHAPE, **more), folder, labels, half)


def roberta(folder: Path, *, labels: int | None = None) -> Path:
    """Writes a RoBERTa: two separators in a pair, positions from 2, no token types."""
    size = tokenizer(folder, roberta=True)
    config = RobertaConfig(
        vocab_size=size, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5, **SHAPE
    )
    return _saved(config, folder, labels, half=False)


def distilbert(folder: Path, *, labels: int | None = None) -> Path:
    """Writes a DistilBERT, a network outside the BERT family."""
    size = tokenizer(folder)
    config = DistilBertConfig(
        vocab_size=size, max_position_embeddings=64, dim=32, n_layers=2, n_heads=4, hidden_dim=64, pad_token_id=0
    )
    return _saved(config, folder, labels, half=False)


def _saved(config: PretrainedConfig, folder: Path, labels: int | None, half: bool) -> Path:
    torch.manual_seed(7)
    # With the usual range of weights, a tiny network returns nearly the same output for every text.
    config.initializer_range = 0.3
    with silence_transformers():
        if labels is None:
            model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        else:
            config.num_labels = labels
            model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
        if half:
            model = model.half()
        model.save_pretrained(str(folder))
    return folder

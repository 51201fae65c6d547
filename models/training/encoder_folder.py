"""A trained bi-encoder on disk: the layout of sentence-transformers, which this product's own loader reads too."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.torch.quiet import quiet
from rerank.models.training.text_encoder import TextEncoder

_MODULES = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
_POOLING_KEYS = {"mean": "mean_tokens", "cls": "cls_token", "lasttoken": "lasttoken"}


def save_encoder(encoder: TextEncoder, tokenizer: PreTrainedTokenizerBase, folder: Path, *, base: ModelFolder) -> None:
    """Write weights (float32), tokenizer, and how vectors are made of tokens, as *base* has it. Raises OSError."""
    with quiet():
        encoder.body.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(_MODULES)
    ]
    _write(folder / "modules.json", modules)
    pooling = {f"pooling_mode_{key}": mode == base.layout.pooling for mode, key in _POOLING_KEYS.items()}
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": encoder.dim, **pooling})
    (folder / "2_Normalize").mkdir(exist_ok=True)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": base.max_tokens, "do_lower_case": False})
    _write(
        folder / "config_sentence_transformers.json", {"prompts": dict(base.prompts), "similarity_fn_name": "cosine"}
    )


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""Text encoder in torch: BERT layers, pooling, vectors of unit length."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

_CHUNK_TOKENS = 4096
"""Padded tokens of one forward pass: texts of similar length go together."""


class Student(nn.Module):
    """An encoder folder's model and tokenizer."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = BertConfig.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        self.body = BertModel(config, add_pooling_layer=False)
        stored = load_file(str(folder / "model.safetensors"))
        self.body.load_state_dict({name: stored[name].float() for name in self.body.state_dict()})
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._pad = int(config.pad_token_id or 0)
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text()).get("prompts") or {}
        self._prompts: dict[str, str] = {"query": prompts.get("query", ""), "passage": prompts.get("document", "")}
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        self._first_token = bool(pooling.get("pooling_mode_cls_token"))

    def hold(self, layers: int) -> None:
        """Keeps the embeddings and the lowest *layers* as they are. 0 trains everything."""
        if layers:
            for part in (self.body.embeddings, *self.body.encoder.layer[:layers]):
                part.requires_grad_(requires_grad=False)

    def hold_table(self) -> None:
        """Keeps the word embeddings as they are."""
        self.body.embeddings.word_embeddings.requires_grad_(requires_grad=False)

    def ids(self, texts: Sequence[str], *, kind: str, max_tokens: int) -> list[list[int]]:
        """Returns the token ids of *texts* under the prompt of `query` or `passage`."""
        self._tokenizer.enable_truncation(max_tokens)
        prompt = self._prompts[kind]
        return [encoded.ids for encoded in self._tokenizer.encode_batch_fast([prompt + text for text in texts])]

    def forward(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Returns a vector of unit length for each row of token ids: (rows, hidden)."""
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        vectors = [self._vectors([rows[number] for number in part]) for part in _chunks(order, rows)]
        inverse = torch.empty(len(order), dtype=torch.long)
        inverse[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(vectors)[inverse.to(vectors[0].device)]

    def states(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Returns the states after the embeddings and after each layer: (rows, tokens, hidden)."""
        with self._precision():
            output = self.body(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
        return tuple(states.float() for states in output.hidden_states)

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Returns token ids and the mask of real tokens: (rows, tokens)."""
        longest = max(map(len, rows))
        device = self.body.device
        ids = torch.tensor([[*row, *[self._pad] * (longest - len(row))] for row in rows], device=device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        return ids, torch.arange(longest, device=device)[None] < lengths[:, None]

    def _precision(self) -> torch.autocast:
        # Processors without bfloat16 instructions emulate it, which is slower than float32.
        kind = self.body.device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind != "cpu")

    def _vectors(self, rows: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = self.padded(rows)
        with self._precision():
            states = self.body(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return functional.normalize(states[:, 0].float(), dim=1) if self._first_token else pooled(states, mask)


def pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean of each row's states as a vector of unit length."""
    total = (states * mask[..., None]).sum(dim=1).float()
    return functional.normalize(total / mask.sum(dim=1, keepdim=True), dim=1)


def _chunks(order: Sequence[int], rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Cuts *order*, ascending by length, into parts of at most _CHUNK_TOKENS padded tokens."""
    parts: list[list[int]] = [[]]
    for number in order:
        if parts[-1] and (len(parts[-1]) + 1) * len(rows[number]) > _CHUNK_TOKENS:
            parts.append([])
        parts[-1].append(number)
    return parts


def write_folder(base: Path, output: Path, weights: Mapping[str, Tensor], *, layers: int | None = None) -> None:
    """Writes an encoder folder with the files of *base* and other weights."""
    output.mkdir(parents=True, exist_ok=True)
    for path in base.rglob("*"):
        if path.is_file() and path.name != "model.safetensors":
            target = output / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    if layers is not None:
        config = json.loads((base / "config.json").read_text())
        (output / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}, indent=2) + "\n")
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in weights.items()}
    save_file(tensors, str(output / "model.safetensors"), metadata={"format": "pt"})

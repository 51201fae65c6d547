"""Joint reranker in torch, for training.

The lower layers of a bi-encoder process query and passage separately, its upper layers together. The model starts near
the quality of its bi-encoder, so it needs little training data. The lower layers process a query once for all passages.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, BertConfig, BertModel

from rerank.core.errors import ModelInvalid
from rerank.models.runtimes.torch.quiet import quiet

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_APART_KEY = "joint_apart_layers"
_ARCHITECTURE = "JointReranker"
_SCALE = 20.0
_BIAS = -18.0
"""Cosines of an untrained model are about .97 for an answer and .75 for an unrelated text: logits of 1.4 and -3."""


class JointReranker(nn.Module):
    """A BERT in two parts. Logit = scale x (cosine of the mean vectors + a head on their product) + bias."""

    def __init__(self, bert: BertModel, *, apart_layers: int) -> None:
        super().__init__()
        layers = bert.config.num_hidden_layers
        if not 0 <= apart_layers < layers:
            raise ModelInvalid(f"apart_layers must be between 0 and {layers - 1}, got {apart_layers}")
        self.bert = bert
        self.apart_layers = apart_layers
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.bias = nn.Parameter(torch.tensor(_BIAS))
        self.head = nn.Linear(bert.config.hidden_size, 1, bias=False)
        # With zeros the score is the cosine alone, so training starts from the encoder's quality.
        nn.init.zeros_(self.head.weight)

    @property
    def config(self) -> BertConfig:
        """Configuration of the encoder."""
        return self.bert.config

    def apart(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Applies the lower layers to texts of one side: (n, length) each -> (n, length, hidden).

        Each text has its own special tokens, and positions from 0; the mask is 1 on tokens.
        """
        hidden: Tensor = self.bert.embeddings(input_ids=input_ids)
        return self._layers(hidden, attention_mask, first=0, last=self.apart_layers)

    def together(
        self, query_hidden: Tensor, query_mask: Tensor, passage_hidden: Tensor, passage_mask: Tensor
    ) -> Tensor:
        """Returns logits float32 (n,) of n passages (n, length, hidden).

        The queries are n, or one (1, length, hidden) for all passages.
        """
        n = passage_hidden.shape[0]
        query_hidden = query_hidden.expand(n, -1, -1)
        query_mask = query_mask.expand(n, -1)
        hidden = torch.cat([query_hidden, passage_hidden], dim=1)  # (n, query + passage, hidden)
        mask = torch.cat([query_mask, passage_mask], dim=1)
        hidden = self._layers(hidden, mask, first=self.apart_layers, last=self.config.num_hidden_layers)
        length = query_mask.shape[1]
        query = _unit_mean(hidden[:, :length], query_mask)  # (n, hidden)
        passage = _unit_mean(hidden[:, length:], passage_mask)
        product = query * passage
        # The sums stay in float32: half-precision logits tie at the top.
        with torch.autocast(product.device.type, enabled=False):
            similarity = product @ (1.0 + self.head.weight[0].float())
            return self.scale.float() * similarity + self.bias.float()

    def forward(self, query: tuple[Tensor, Tensor], passages: tuple[Tensor, Tensor], query_rows: Tensor) -> Tensor:
        """Returns logits (n,) of n passages for b queries, each as ids and masks.

        `query_rows` (n,) maps passages to queries.
        """
        query_hidden = self.apart(*query)
        passage_hidden = self.apart(*passages)
        return self.together(query_hidden[query_rows], query[1][query_rows], passage_hidden, passages[1])

    @classmethod
    def from_encoder(cls, folder: Path | str, apart_layers: int | None = None) -> Self:
        """Creates a model from the folder of a BERT bi-encoder. Raises ModelInvalid for other folders.

        *apart_layers*: None for half of the layers; of six, 3 ranked better than 4 (benchmarks/models.md).
        """
        path = Path(folder)
        try:
            with quiet():
                config = AutoConfig.from_pretrained(path, local_files_only=True)
                if not isinstance(config, BertConfig):
                    raise ModelInvalid(f"{path}: the base of a joint reranker must be a BERT, got {config.model_type}")
                bert = BertModel.from_pretrained(
                    path, dtype=torch.float32, add_pooling_layer=False, local_files_only=True
                )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as exc:
            raise ModelInvalid(f"cannot load {path} as an encoder: {exc}") from exc
        return cls(bert, apart_layers=bert.config.num_hidden_layers // 2 if apart_layers is None else apart_layers)

    @classmethod
    def from_folder(cls, folder: Path | str) -> Self:
        """Loads a saved model in float32. Raises ModelInvalid if the folder has none."""
        path = Path(folder)
        try:
            config = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
            apart_layers = int(config.pop(_APART_KEY))
            bert = BertModel(BertConfig.from_dict(config), add_pooling_layer=False)
            model = cls(bert, apart_layers=apart_layers)
            weights = {name: value.float() for name, value in load_file(path / WEIGHTS_FILE).items()}
            model.load_state_dict({_inner_name(name): value for name, value in weights.items()})
        except KeyError as exc:
            raise ModelInvalid(
                f"{path / CONFIG_FILE}: {exc.args[0]} is missing, so this is not a joint reranker"
            ) from exc
        except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as exc:
            raise ModelInvalid(f"cannot load {path} as a joint reranker: {exc}") from exc
        return model.eval()

    def save(self, folder: Path | str, *, tokenizer_from: Path | str, dtype: torch.dtype = torch.float16) -> None:
        """Writes config.json, model.safetensors in *dtype*, and the tokenizer files of *tokenizer_from*.

        Raises OSError if the folder is not writable.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        config: Mapping[str, Any] = self.config.to_dict()
        encoder_config = {
            key: value for key, value in config.items() if not key.startswith("_") and key != "transformers_version"
        }
        stored = {
            **encoder_config,
            "architectures": [_ARCHITECTURE],
            _APART_KEY: self.apart_layers,
            "dtype": str(dtype).removeprefix("torch."),
        }
        (path / CONFIG_FILE).write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        weights = {
            _outer_name(name): value.detach().to("cpu", dtype).contiguous() for name, value in self.state_dict().items()
        }
        save_file(weights, path / WEIGHTS_FILE, metadata={"format": "pt"})
        source = Path(tokenizer_from)
        for name in TOKENIZER_FILES:
            if (source / name).exists() and source.resolve() != path.resolve():
                shutil.copyfile(source / name, path / name)

    def _layers(self, hidden: Tensor, mask: Tensor, *, first: int, last: int) -> Tensor:
        bias = torch.zeros(mask.shape, dtype=hidden.dtype, device=hidden.device)
        bias = bias.masked_fill(mask == 0, torch.finfo(hidden.dtype).min)[:, None, None, :]  # (n, 1, 1, length)
        for layer in self.bert.encoder.layer[first:last]:
            hidden = cast(Tensor, layer(hidden, bias))
        return hidden


def _unit_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Returns float32 (n, hidden), rows of unit length: the mean over the tokens of the mask."""
    weights = mask.unsqueeze(-1).float()
    mean = (hidden.float() * weights).sum(1) / weights.sum(1).clamp(min=1.0)
    return nn.functional.normalize(mean, dim=-1)


def _outer_name(name: str) -> str:
    """Returns the name in the file: encoder weights keep BERT's names, so that any BERT loader can load them."""
    return name.removeprefix("bert.") if name.startswith("bert.") else f"joint.{name}"


def _inner_name(name: str) -> str:
    return name.removeprefix("joint.") if name.startswith("joint.") else f"bert.{name}"

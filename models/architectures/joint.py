"""The joint reranker: a bi-encoder whose lower layers read query and passage apart, its upper layers together.

It starts near its bi-encoder's quality, so it learns from little; and what the lower layers make of a query is
computed once for all of its passages.
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
"""An untrained model's cosines lie around .97 for an answer and .75 for a stranger: logits of about 1.4 and -3."""


class JointReranker(nn.Module):
    """A BERT in two parts. A logit = scale x (cosine of the texts' mean vectors + a head on their product) + bias."""

    def __init__(self, bert: BertModel, *, apart_layers: int) -> None:
        super().__init__()
        layers = bert.config.num_hidden_layers
        if not 0 <= apart_layers < layers:
            raise ModelInvalid(f"apart_layers must be from 0 to {layers - 1} for a model of {layers} layers")
        self.bert = bert
        self.apart_layers = apart_layers
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.bias = nn.Parameter(torch.tensor(_BIAS))
        self.head = nn.Linear(bert.config.hidden_size, 1, bias=False)
        # At zero the score is the cosine's alone: training starts from what the encoder knows.
        nn.init.zeros_(self.head.weight)

    @property
    def config(self) -> BertConfig:
        """The encoder's configuration."""
        return self.bert.config

    def apart(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The lower layers over texts of one side: (n, length) each -> (n, length, hidden).

        Each text stands alone, with its own special tokens and its positions from 0; the mask is 1 on tokens.
        """
        hidden: Tensor = self.bert.embeddings(input_ids=input_ids)
        return self._layers(hidden, attention_mask, first=0, last=self.apart_layers)

    def together(
        self, query_hidden: Tensor, query_mask: Tensor, passage_hidden: Tensor, passage_mask: Tensor
    ) -> Tensor:
        """Logits float32 (n,) of n passages (n, length, hidden) for n queries, or for one query (1, length, hidden)."""
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
        """Logits (n,) of n passages for b queries, each given as ids and mask; `query_rows` (n,) pairs them."""
        query_hidden = self.apart(*query)
        passage_hidden = self.apart(*passages)
        return self.together(query_hidden[query_rows], query[1][query_rows], passage_hidden, passages[1])

    @classmethod
    def from_encoder(cls, folder: Path | str, apart_layers: int | None = None) -> Self:
        """A new model from a BERT-like bi-encoder's folder. Raises ModelInvalid where it is none.

        *apart_layers*: None for half of them; of six, 3 ranked better than 4 in a trial (benchmarks/history.md).
        """
        path = Path(folder)
        try:
            with quiet():
                config = AutoConfig.from_pretrained(path, local_files_only=True)
                if not isinstance(config, BertConfig):
                    raise ModelInvalid(f"{path}: a joint reranker starts from a BERT, not from a {config.model_type}")
                bert = BertModel.from_pretrained(
                    path, dtype=torch.float32, add_pooling_layer=False, local_files_only=True
                )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as exc:
            raise ModelInvalid(f"{path}: cannot be loaded as an encoder: {exc}") from exc
        return cls(bert, apart_layers=bert.config.num_hidden_layers // 2 if apart_layers is None else apart_layers)

    @classmethod
    def from_folder(cls, folder: Path | str) -> Self:
        """A saved model, in float32. Raises ModelInvalid where the folder holds none."""
        path = Path(folder)
        try:
            config = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
            apart_layers = int(config.pop(_APART_KEY))
            bert = BertModel(BertConfig.from_dict(config), add_pooling_layer=False)
            model = cls(bert, apart_layers=apart_layers)
            weights = {name: value.float() for name, value in load_file(path / WEIGHTS_FILE).items()}
            model.load_state_dict({_inner_name(name): value for name, value in weights.items()})
        except KeyError as exc:
            raise ModelInvalid(f"{path / CONFIG_FILE}: {exc.args[0]} is missing: not a joint reranker") from exc
        except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as exc:
            raise ModelInvalid(f"{path}: cannot be loaded as a joint reranker: {exc}") from exc
        return model.eval()

    def save(self, folder: Path | str, *, tokenizer_from: Path | str, dtype: torch.dtype = torch.float16) -> None:
        """Write config.json, model.safetensors in *dtype*, and the tokenizer's files, taken from another folder.

        Raises OSError when the folder cannot be written.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        config: Mapping[str, Any] = self.config.to_dict()
        kept = {
            key: value for key, value in config.items() if not key.startswith("_") and key != "transformers_version"
        }
        said = {
            **kept,
            "architectures": [_ARCHITECTURE],
            _APART_KEY: self.apart_layers,
            "dtype": str(dtype).removeprefix("torch."),
        }
        (path / CONFIG_FILE).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")
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
    """float32 (n, hidden), rows of unit length: the mean over the tokens of the mask."""
    weights = mask.unsqueeze(-1).float()
    mean = (hidden.float() * weights).sum(1) / weights.sum(1).clamp(min=1.0)
    return nn.functional.normalize(mean, dim=-1)


def _outer_name(name: str) -> str:
    """As in the file: the encoder's weights under BERT's own names, so that any BERT loader reads them."""
    return name.removeprefix("bert.") if name.startswith("bert.") else f"joint.{name}"


def _inner_name(name: str) -> str:
    return name.removeprefix("joint.") if name.startswith("joint.") else f"bert.{name}"

"""Joint reranker in torch, for training.

The lower layers of a bi-encoder process query and passage separately; its upper layers process them together. Training
starts near the quality of the bi-encoder, so it needs little data. The lower layers process a query once for all
passages.
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
from rerank.models.runtimes.torch.transformers_output import silence_transformers

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_LOWER_LAYERS_KEY = "joint_apart_layers"
_ARCHITECTURE = "JointReranker"
_SCALE = 20.0
_BIAS = -18.0
"""An untrained model has cosines of about .97 for an answer and .75 for an unrelated text: logits of 1.4 and -3."""


class JointReranker(nn.Module):
    """BERT in two parts. Logit = scale x (cosine of the mean vectors + a head on their product) + bias."""

    def __init__(self, bert: BertModel, *, lower_layers: int) -> None:
        super().__init__()
        layers = bert.config.num_hidden_layers
        if not 0 <= lower_layers < layers:
            raise ModelInvalid(f"lower_layers must be between 0 and {layers - 1}, got {lower_layers}")
        self.bert = bert
        self.lower_layers = lower_layers
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.bias = nn.Parameter(torch.tensor(_BIAS))
        self.head = nn.Linear(bert.config.hidden_size, 1, bias=False)
        # With a head of zeros the score is the cosine alone, so training starts at the quality of the encoder.
        nn.init.zeros_(self.head.weight)

    @property
    def config(self) -> BertConfig:
        """Configuration of the encoder."""
        return self.bert.config

    def apply_lower_layers(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns the output of the lower layers, (n, length, hidden), for n queries or n passages, (n, length).

        Each text has its own special tokens and positions from 0. The mask is 1 on tokens, 0 on padding.
        """
        hidden: Tensor = self.bert.embeddings(input_ids=input_ids)
        return self._layers(hidden, attention_mask, first=0, last=self.lower_layers)

    def apply_upper_layers(
        self, query_hidden: Tensor, query_mask: Tensor, passage_hidden: Tensor, passage_mask: Tensor
    ) -> Tensor:
        """Returns logits float32 (n,) of n passages (n, length, hidden).

        *query_hidden* has n queries, or one query (1, length, hidden) for all passages.
        """
        n = passage_hidden.shape[0]
        query_hidden = query_hidden.expand(n, -1, -1)
        query_mask = query_mask.expand(n, -1)
        hidden = torch.cat([query_hidden, passage_hidden], dim=1)  # (n, query + passage, hidden)
        mask = torch.cat([query_mask, passage_mask], dim=1)
        hidden = self._layers(hidden, mask, first=self.lower_layers, last=self.config.num_hidden_layers)
        length = query_mask.shape[1]
        query = _unit_mean(hidden[:, :length], query_mask)  # (n, hidden)
        passage = _unit_mean(hidden[:, length:], passage_mask)
        product = query * passage
        # The sums stay in float32: half-precision logits tie at the top.
        with torch.autocast(product.device.type, enabled=False):
            similarity = product @ (1.0 + self.head.weight[0].float())
            return self.scale.float() * similarity + self.bias.float()

    def forward(self, query: tuple[Tensor, Tensor], passages: tuple[Tensor, Tensor], query_rows: Tensor) -> Tensor:
        """Returns logits (n,) of n passages for b queries, each as ids and mask.

        *query_rows* (n,) is the row of the query of each passage.
        """
        query_hidden = self.apply_lower_layers(*query)
        passage_hidden = self.apply_lower_layers(*passages)
        return self.apply_upper_layers(query_hidden[query_rows], query[1][query_rows], passage_hidden, passages[1])

    @classmethod
    def from_encoder(cls, folder: Path | str, lower_layers: int | None = None) -> Self:
        """Creates a model from the folder of a BERT bi-encoder. Raises ModelInvalid for other folders.

        *lower_layers*: number of lower layers; None for half of all layers, because 3 of six ranked better than 4
        (benchmarks/models.md).
        """
        path = Path(folder)
        try:
            with silence_transformers():
                config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
                if not isinstance(config, BertConfig):
                    raise ModelInvalid(f"{path}: the base of a joint reranker must be a BERT, got {config.model_type}")
                bert = BertModel.from_pretrained(
                    path,
                    dtype=torch.float32,
                    add_pooling_layer=False,
                    local_files_only=True,
                    use_safetensors=True,
                )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as exc:
            raise ModelInvalid(f"cannot load {path} as an encoder: {exc}") from exc
        return cls(bert, lower_layers=bert.config.num_hidden_layers // 2 if lower_layers is None else lower_layers)

    @classmethod
    def from_folder(cls, folder: Path | str) -> Self:
        """Loads a saved model in float32. Raises ModelInvalid for a folder without a joint reranker."""
        path = Path(folder)
        try:
            config = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
            lower_layers = int(config.pop(_LOWER_LAYERS_KEY))
            bert = BertModel(BertConfig.from_dict(config), add_pooling_layer=False)
            model = cls(bert, lower_layers=lower_layers)
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
            _LOWER_LAYERS_KEY: self.lower_layers,
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
    """Returns the name in the file. Encoder weights keep the names of BERT, so that any BERT loader can load them."""
    return name.removeprefix("bert.") if name.startswith("bert.") else f"joint.{name}"


def _inner_name(name: str) -> str:
    return name.removeprefix("joint.") if name.startswith("joint.") else f"bert.{name}"

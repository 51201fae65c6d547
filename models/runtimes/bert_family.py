"""The BERT family: supported models, their configuration, and the names of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from rerank.core.errors import ModelInvalid
from rerank.models.folder import CONFIG_FILE, ModelFolder

Tensor = TypeVar("Tensor")
"""A tensor of any library."""

WEIGHTS_FILE = "model.safetensors"
SAVE_ADVICE = "Save the model with save_pretrained(safe_serialization=True) in transformers"
LOWER_LAYERS_KEY = "joint_apart_layers"
_ROBERTA = frozenset({"roberta", "xlm-roberta", "camembert"})
_FAMILY = _ROBERTA | {"bert"}
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_FIRST_TENSOR = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class BertShape:
    """Numbers in config.json that the computation requires."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    first_position: int

    @classmethod
    def of(cls, folder: ModelFolder) -> BertShape:
        """Returns the shape. Raises ModelInvalid, naming the key, for a value that is missing or not a number."""

        def number(key: str) -> float:
            value = folder.config.get(key)
            if not isinstance(value, int | float):
                raise ModelInvalid(f"{folder.weights / CONFIG_FILE}: {key} must be a number, got {value!r}")
            return value

        roberta = folder.config.get("model_type") in _ROBERTA
        return cls(
            layers=int(number("num_hidden_layers")),
            heads=int(number("num_attention_heads")),
            hidden=int(number("hidden_size")),
            epsilon=number("layer_norm_eps"),
            first_position=int(number("pad_token_id")) + 1 if roberta else 0,
        )


def is_bert_family(folder: ModelFolder) -> bool:
    """Returns True if the layers in this package can compute the folder's model."""
    config = folder.config
    return (
        config.get("model_type") in _FAMILY
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") in ("absolute", None)
        and not config.get("is_decoder")
    )


def lower_layer_count(folder: ModelFolder) -> int:
    """Returns the number of layers of a joint reranker that process texts separately.

    Raises ModelInvalid for other models.
    """
    layers, lower = BertShape.of(folder).layers, folder.config.get(LOWER_LAYERS_KEY)
    if not isinstance(lower, int) or not 0 <= lower < layers or not is_bert_family(folder):
        raise ModelInvalid(
            f"{folder.weights / CONFIG_FILE}: a joint reranker must be a BERT with {LOWER_LAYERS_KEY} between 0 and"
            f" {layers - 1}, got {lower!r}"
        )
    return lower


def bert_weights(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the tensors of the body by name without prefix, and the tensors of the head by name."""
    named = {_current_name(name): value for name, value in weights.items()}
    first = next((name for name in named if name.endswith(_FIRST_TENSOR)), _FIRST_TENSOR)
    prefix = first.removesuffix(_FIRST_TENSOR)
    body = {n.removeprefix(prefix): v for n, v in named.items() if n.startswith(prefix)} if prefix else named
    return body, {n: v for n, v in named.items() if not prefix or not n.startswith(prefix)}


def head_names(head: Mapping[str, object]) -> tuple[str, str]:
    """Returns the names of the dense layer and of the output layer. RoBERTa has both in the head."""
    if "classifier.out_proj.weight" in head:
        return "classifier.dense", "classifier.out_proj"
    return "pooler.dense", "classifier"


def _current_name(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name

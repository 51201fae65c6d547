"""The BERT family: which models are of it, the numbers of their layers, and the names of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from rerank.core.errors import ModelInvalid
from rerank.models.folder import CONFIG_FILE, ModelFolder

Tensor = TypeVar("Tensor")
"""A tensor of whatever library reads the weights."""

WEIGHTS_FILE = "model.safetensors"
SAVE_ADVICE = "save the model with save_pretrained (safe_serialization) in transformers"
APART_KEY = "joint_apart_layers"
_ROBERTA = frozenset({"roberta", "xlm-roberta", "camembert"})
_FAMILY = _ROBERTA | {"bert"}
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_MARK = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class BertShape:
    """The numbers of config.json that the arithmetic needs."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    first_position: int

    @classmethod
    def of(cls, folder: ModelFolder) -> BertShape:
        """Raises ModelInvalid, naming the key, for one that is missing or no number."""

        def number(key: str) -> float:
            value = folder.config.get(key)
            if not isinstance(value, int | float):
                raise ModelInvalid(f"{folder.weights / CONFIG_FILE}: {key}: must be a number, not {value!r}")
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
    """Whether the layers here compute what the folder's model computes."""
    config = folder.config
    return (
        config.get("model_type") in _FAMILY
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") in ("absolute", None)
        and not config.get("is_decoder")
    )


def apart_layers(folder: ModelFolder) -> int:
    """How many layers of a joint reranker read texts apart. Raises ModelInvalid for a folder that holds none."""
    layers, apart = BertShape.of(folder).layers, folder.config.get(APART_KEY)
    if not isinstance(apart, int) or not 0 <= apart < layers or not is_bert_family(folder):
        raise ModelInvalid(
            f"{folder.weights / CONFIG_FILE}: a joint reranker is a BERT with {APART_KEY} from 0 to {layers - 1}"
        )
    return apart


def bert_weights(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The body's tensors by their plain names, and all others: the head's."""
    named = {_modern(name): value for name, value in weights.items()}
    mark = next((name for name in named if name.endswith(_MARK)), _MARK)
    prefix = mark.removesuffix(_MARK)
    inside = {n.removeprefix(prefix): v for n, v in named.items() if n.startswith(prefix)} if prefix else named
    return inside, {n: v for n, v in named.items() if not prefix or not n.startswith(prefix)}


def head_names(head: Mapping[str, object]) -> tuple[str, str]:
    """The layer before a classifier's output, and the output: `pooler.dense` is the body's, RoBERTa's the head's."""
    if "classifier.out_proj.weight" in head:
        return "classifier.dense", "classifier.out_proj"
    return "pooler.dense", "classifier"


def _modern(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name

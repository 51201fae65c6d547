"""ModelRuntime over OpenVINO: on a CPU, in float32, bfloat16 or int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rerank.core.errors import ModelInvalid
from rerank.core.setting_types import Precision
from rerank.models.folder import ModelFolder
from rerank.models.processors import processors
from rerank.models.runtime import JointLayers, PairClassifier, TextBody
from rerank.models.runtimes.bert_family import is_bert_family
from rerank.models.runtimes.openvino.cache import ConvertedModels, Form
from rerank.models.runtimes.openvino.converted import ConvertedModel
from rerank.models.runtimes.openvino.graphs import build
from rerank.models.runtimes.openvino.input_ranges import measured_quantizations
from rerank.models.runtimes.openvino.matrix_products import FloatProducts, Int8Products
from rerank.models.runtimes.openvino.networks import OpenVinoBody, OpenVinoClassifier, OpenVinoJointLayers

Network = TypeVar("Network")
_TOKENS_PER_PROCESSOR = 1024
"""Padded tokens. Smaller batches have a lower throughput; larger batches overrun a deadline by more."""


@dataclass(frozen=True)
class OpenVinoRuntime:
    """ModelRuntime over OpenVINO; *cache* stores converted models."""

    precision: Precision
    cache: ConvertedModels
    name: Literal["openvino"] = "openvino"

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""
        return _TOKENS_PER_PROCESSOR * processors()

    @property
    def form(self) -> Form:
        """Stored form of a model for this precision."""
        return "int8" if self.precision == "int8" else "float"

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """Loads the network of a cross-encoder."""
        return self._loaded(folder, OpenVinoClassifier)

    def body(self, folder: ModelFolder) -> TextBody:
        """Loads the network of a bi-encoder."""
        return self._loaded(folder, OpenVinoBody)

    def joint_layers(self, folder: ModelFolder) -> JointLayers:
        """Loads the network of a joint reranker."""
        return self._loaded(folder, OpenVinoJointLayers)

    def convert(self, folder: ModelFolder) -> None:
        """Converts the folder's model into the cache, if the cache does not have it."""
        with _errors_as_model_invalid(folder):
            self._converted(folder)

    def caches(self, folder: ModelFolder) -> bool:
        """Returns True if the cache stores the converted model. A float model converts in milliseconds instead."""
        return self.form == "int8" or not is_bert_family(folder)

    def _loaded(self, folder: ModelFolder, network: Callable[..., Network]) -> Network:
        with _errors_as_model_invalid(folder):
            return network(self._converted(folder), precision=self.precision)

    def _converted(self, folder: ModelFolder) -> ConvertedModel:
        def convert() -> ConvertedModel:
            return build(folder, Int8Products(measured_quantizations(folder)))

        if not is_bert_family(folder):
            raise ModelInvalid(f"{folder.path}: OpenVINO supports only models of the BERT family. Set runtime to torch")
        if self.form == "float":
            return build(folder, FloatProducts())
        return self.cache.get(folder, self.form, convert)


def openvino_runtime(precision: Precision, cache_dir: Path) -> OpenVinoRuntime:
    """Returns the runtime that stores converted models under *cache_dir*."""
    return OpenVinoRuntime(precision, ConvertedModels(cache_dir))


@contextmanager
def _errors_as_model_invalid(folder: ModelFolder) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as exc:  # OpenVINO, or numpy for shapes that do not match
        problem = str(exc).strip().splitlines()[-1] if str(exc).strip() else type(exc).__name__
        raise ModelInvalid(f"{folder.path}: the weights do not match config.json: {problem}") from exc

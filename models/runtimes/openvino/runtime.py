"""OpenVINO as a ModelRuntime: on the processor, in float32, bfloat16 or int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rerank.core.errors import ModelInvalid
from rerank.core.settings import Precision
from rerank.models.folder import ModelFolder
from rerank.models.processors import processors
from rerank.models.runtime import JointHalves, PairClassifier, TextBody
from rerank.models.runtimes.bert_family import is_bert_family
from rerank.models.runtimes.openvino.cache import ConvertedModels, Form
from rerank.models.runtimes.openvino.converted import ConvertedModel
from rerank.models.runtimes.openvino.graphs import build
from rerank.models.runtimes.openvino.input_ranges import measured_quantizations
from rerank.models.runtimes.openvino.matrix_products import FloatProducts, Int8Products
from rerank.models.runtimes.openvino.networks import OpenVinoBody, OpenVinoClassifier, OpenVinoHalves

Network = TypeVar("Network")
_TOKENS_A_PROCESSOR = 1024
"""Padded tokens: fewer run at a lower rate, more are slower to stop at a deadline."""


@dataclass(frozen=True)
class OpenVinoRuntime:
    """A ModelRuntime; *cache* keeps what takes long to make."""

    precision: Precision
    cache: ConvertedModels
    name: Literal["openvino"] = "openvino"

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that is filled well."""
        return _TOKENS_A_PROCESSOR * processors()

    @property
    def form(self) -> Form:
        """What is kept of a model for this precision."""
        return "int8" if self.precision == "int8" else "float"

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """An ordinary cross-encoder's network."""
        return self._loaded(folder, OpenVinoClassifier)

    def body(self, folder: ModelFolder) -> TextBody:
        """A bi-encoder's network."""
        return self._loaded(folder, OpenVinoBody)

    def halves(self, folder: ModelFolder) -> JointHalves:
        """A joint reranker's network."""
        return self._loaded(folder, OpenVinoHalves)

    def convert(self, folder: ModelFolder) -> None:
        """Make what is kept of the folder's model, when it is not there yet."""
        with _translated(folder):
            self._converted(folder)

    def keeps(self, folder: ModelFolder) -> bool:
        """Whether a converted model is kept at all: a float one of the BERT family is made within a blink."""
        return self.form == "int8" or not is_bert_family(folder)

    def _loaded(self, folder: ModelFolder, kind: Callable[..., Network]) -> Network:
        with _translated(folder):
            return kind(self._converted(folder), precision=self.precision)

    def _converted(self, folder: ModelFolder) -> ConvertedModel:
        def convert() -> ConvertedModel:
            return build(folder, Int8Products(measured_quantizations(folder)))

        if not is_bert_family(folder):
            raise ModelInvalid(f"{folder.path}: OpenVINO runs models of the BERT family here; take the runtime torch")
        if self.form == "float":
            return build(folder, FloatProducts())
        return self.cache.get(folder, self.form, convert)


def openvino_runtime(precision: Precision, cache_dir: Path) -> OpenVinoRuntime:
    """The runtime that keeps what it converts under *cache_dir*."""
    return OpenVinoRuntime(precision, ConvertedModels(cache_dir))


@contextmanager
def _translated(folder: ModelFolder) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as exc:  # OpenVINO's own, and numpy's for tensors that do not fit together
        problem = str(exc).strip().splitlines()[-1] if str(exc).strip() else type(exc).__name__
        raise ModelInvalid(f"{folder.path}: its weights and its config.json do not fit together: {problem}") from exc

"""Measurement of the inputs of matrix products, for int8 quantization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.openvino.graphs import BODY, LOWER, UPPER, build
from rerank.models.runtimes.openvino.matrix_products import Node, Product, RecordingProducts
from rerank.models.runtimes.openvino.quantization import (
    InputQuantization,
    ObservedInput,
    best_quantization,
    largest_weight,
)
from rerank.models.runtimes.openvino.tensors import Array
from rerank.models.runtimes.sample import sample
from rerank.models.tokenizer import Ids, TextTokenizer

_LONGEST_QUERY, _LONGEST_PASSAGE = 48, 160
_ROWS_PER_TEXT = 6
Inputs = tuple[NDArray[Any], ...]


def measured_quantizations(folder: ModelFolder) -> dict[str, InputQuantization]:
    """Returns the quantization of each input of a matrix product, fitted to the sample texts.

    Raises ModelInvalid for missing tensors.
    """
    products = RecordingProducts()
    model = build(folder, products)
    graphs = {name: _RecordingGraph(graph, products.recorded) for name, graph in model.graphs.items()}
    match folder.architecture:
        case "joint":
            for query, passage in _separate_texts(folder):
                query_hidden, passage_hidden = (graphs[LOWER](text)[0] for text in (query, passage))
                graphs[UPPER]((query_hidden, query[1], passage_hidden, passage[1]))
        case "cross-encoder":
            for inputs in _pairs(folder):
                graphs[BODY](inputs)
        case "bi-encoder":
            for query, passage in _separate_texts(folder):
                graphs[BODY](query)
                graphs[BODY](passage)
    return {
        name: best_quantization(observed, products.recorded[name].weight, largest=largest_weight())
        for graph in graphs.values()
        for name, observed in graph.observed().items()
    }


class _RecordingGraph:
    """A graph that records the inputs of its *products*."""

    def __init__(self, graph: openvino.Model, products: Mapping[str, Product]) -> None:
        operations = {op.get_friendly_name() for op in graph.get_ops()}
        inputs = {name: _output(product.x) for name, product in products.items()}
        inputs = {name: x for name, x in inputs.items() if x.get_node().get_friendly_name() in operations}
        self._names = list(inputs)
        self._rows: dict[str, list[Array]] = {name: [] for name in inputs}
        self._bounds: dict[str, list[Array]] = {name: [] for name in inputs}
        outputs = [*(result.input_value(0) for result in graph.results), *inputs.values()]
        recording = openvino.Model(outputs, graph.get_parameters(), "recording")
        self._compiled = openvino.Core().compile_model(recording, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, inputs: Inputs) -> list[NDArray[Any]]:
        """Returns the outputs of the graph without the recorded inputs."""
        outputs = [output.copy() for output in self._compiled(list(inputs)).values()]
        count = len(outputs) - len(self._names)
        for name, values in zip(self._names, outputs[count:], strict=True):
            self._record(name, values[0])
        return outputs[:count]

    def observed(self) -> dict[str, ObservedInput]:
        """Returns the recorded inputs by name."""
        return {
            name: ObservedInput(np.concatenate(rows), *_bounds(np.stack(self._bounds[name])))
            for name, rows in self._rows.items()
        }

    def _record(self, name: str, values: Array) -> None:  # (tokens, channels)
        self._bounds[name].append(np.stack(_bounds(values)))
        positions = np.linspace(0, len(values) - 1, _ROWS_PER_TEXT).astype(np.intp)
        self._rows[name].append(values[positions])


def _bounds(values: Array) -> tuple[Array, Array]:
    """Returns the minimum and maximum of each channel over all other axes."""
    channels = values.reshape(-1, values.shape[-1])
    return channels.min(axis=0), channels.max(axis=0)


def _output(x: Node) -> Node:
    return x.output(0) if hasattr(x, "output") else x


def _separate_texts(folder: ModelFolder) -> Iterator[tuple[Inputs, Inputs]]:
    """Yields ids and length of a query and of a passage, each as a single row with special tokens."""
    tokenizer = TextTokenizer.from_folder(folder)
    template = tokenizer.single_template()

    def row(ids: Ids) -> Inputs:
        sequence = np.concatenate([template.before, ids, template.after])[None]
        return sequence, np.array([sequence.shape[1]], dtype=np.int32)

    for query, passage in _tokens(folder, tokenizer, special=2 * template.special):
        yield row(query), row(passage)


def _pairs(folder: ModelFolder) -> Iterator[Inputs]:
    """Yields ids, token types and length of a pair, as a single row."""
    tokenizer = TextTokenizer.from_folder(folder)
    template = tokenizer.pair_template()
    for query, passage in _tokens(folder, tokenizer, special=template.special):
        head = np.concatenate([template.before, query, template.between])
        sequence = np.concatenate([head, passage, template.after])[None]
        types = (np.arange(sequence.shape[1]) >= len(head)).astype(np.int32)[None] * np.int32(template.second_type)
        yield sequence, types, np.array([sequence.shape[1]], dtype=np.int32)


def _tokens(folder: ModelFolder, tokenizer: TextTokenizer, *, special: int) -> Iterator[tuple[Ids, Ids]]:
    """Yields each sample question with its paragraph and with an unrelated paragraph, within the model's limits."""
    prompts, limit = folder.prompts, folder.max_tokens - special
    queries = [prompts["query"] + pair.query for pair in sample()]
    passages = [prompts["document"] + pair.passage for pair in sample()]
    query_ids = tokenizer.texts(queries, limit=min(limit // 2, _LONGEST_QUERY)).ids
    passage_ids = tokenizer.texts(passages, limit=min(limit - limit // 2, _LONGEST_PASSAGE)).ids
    for i, query in enumerate(query_ids):
        yield query, passage_ids[i]
        yield query, passage_ids[(i + 5) % len(passage_ids)]

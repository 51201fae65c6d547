"""Measurement of the inputs of a model's matrix products, for int8 quantization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.openvino.graphs import BODY, LOWER, UPPER, build
from rerank.models.runtimes.openvino.matrix_products import Node, Product, RecordingProducts
from rerank.models.runtimes.openvino.quantization import InputQuantization, ObservedInput, best_quantization
from rerank.models.runtimes.openvino.tensors import Array
from rerank.models.runtimes.sample import sample
from rerank.models.tokenizer import Ids, TextTokenizer

_LONGEST_QUERY, _LONGEST_PASSAGE = 48, 160
_ROWS_PER_TEXT = 6
Inputs = tuple[NDArray[Any], ...]


def measured_quantizations(folder: ModelFolder) -> dict[str, InputQuantization]:
    """Returns the quantization of each input of a product, fitted to the sample's texts.

    Raises ModelInvalid for missing tensors.
    """
    products = RecordingProducts()
    model = build(folder, products)
    graphs = {name: _RecordingGraph(graph, products.found) for name, graph in model.graphs.items()}
    match folder.architecture:
        case "joint":
            for query, passage in _separate_texts(folder):
                halves = [graphs[LOWER](side)[0] for side in (query, passage)]
                graphs[UPPER]((halves[0], query[1], halves[1], passage[1]))
        case "cross-encoder":
            for inputs in _pairs(folder):
                graphs[BODY](inputs)
        case "bi-encoder":
            for query, passage in _separate_texts(folder):
                graphs[BODY](query)
                graphs[BODY](passage)
    return {
        name: best_quantization(observed, products.found[name].weight)
        for graph in graphs.values()
        for name, observed in graph.observed().items()
    }


class _RecordingGraph:
    """A graph that records the inputs of those *products* that belong to it."""

    def __init__(self, graph: openvino.Model, products: Mapping[str, Product]) -> None:
        own = {op.get_friendly_name() for op in graph.get_ops()}
        found = {name: _output(product.x) for name, product in products.items()}
        found = {name: x for name, x in found.items() if x.get_node().get_friendly_name() in own}
        self._names = list(found)
        self._rows: dict[str, list[Array]] = {name: [] for name in found}
        self._bounds: dict[str, list[Array]] = {name: [] for name in found}
        outputs = [*(result.input_value(0) for result in graph.results), *found.values()]
        recording = openvino.Model(outputs, graph.get_parameters(), "recording")
        self._compiled = openvino.Core().compile_model(recording, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, inputs: Inputs) -> list[NDArray[Any]]:
        """Returns the graph's own outputs."""
        outputs = [output.copy() for output in self._compiled(list(inputs)).values()]
        own = len(outputs) - len(self._names)
        for name, values in zip(self._names, outputs[own:], strict=True):
            self._record(name, values[0])
        return outputs[:own]

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
    """Yields ids and lengths of a query and of a passage, each a single row with special tokens."""
    tokenizer = TextTokenizer.from_folder(folder)
    template = tokenizer.single_template()

    def row(ids: Ids) -> Inputs:
        whole = np.concatenate([template.before, ids, template.after])[None]
        return whole, np.array([whole.shape[1]], dtype=np.int32)

    for query, passage in _tokens(folder, tokenizer, special=2 * template.special):
        yield row(query), row(passage)


def _pairs(folder: ModelFolder) -> Iterator[Inputs]:
    """Yields ids, token types and length of a pair, a single row."""
    tokenizer = TextTokenizer.from_folder(folder)
    template = tokenizer.pair_template()
    for query, passage in _tokens(folder, tokenizer, special=template.special):
        head = np.concatenate([template.before, query, template.between])
        whole = np.concatenate([head, passage, template.after])[None]
        types = (np.arange(whole.shape[1]) >= len(head)).astype(np.int32)[None] * np.int32(template.second_type)
        yield whole, types, np.array([whole.shape[1]], dtype=np.int32)


def _tokens(folder: ModelFolder, tokenizer: TextTokenizer, *, special: int) -> Iterator[tuple[Ids, Ids]]:
    """Yields each sample question with its paragraph, and with another one, within the model's limits."""
    prompts, room = folder.prompts, folder.max_tokens - special
    queries = [prompts["query"] + pair.query for pair in sample()]
    passages = [prompts["document"] + pair.passage for pair in sample()]
    query_ids = tokenizer.texts(queries, limit=min(room // 2, _LONGEST_QUERY)).ids
    passage_ids = tokenizer.texts(passages, limit=min(room - room // 2, _LONGEST_PASSAGE)).ids
    for i, query in enumerate(query_ids):
        yield query, passage_ids[i]
        yield query, passage_ids[(i + 5) % len(passage_ids)]

"""Graphs of the three architectures. Operations after the pooling run outside the graphs, in float32."""

from __future__ import annotations

import numpy as np
from openvino import Model
from openvino import opset13 as ops

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.bert_family import BertShape, bert_weights, head_names, lower_layer_count
from rerank.models.runtimes.openvino.bert import BertGraph, first_token, last_token, mean, padding, padding_bias
from rerank.models.runtimes.openvino.converted import ConvertedModel
from rerank.models.runtimes.openvino.matrix_products import Node, Products, constant
from rerank.models.runtimes.openvino.tensors import Tensors, read_tensors

BODY, LOWER, UPPER = "body", "lower", "upper"


def build(folder: ModelFolder, products: Products) -> ConvertedModel:
    """Returns the graphs and the head of a model of the BERT family. Raises ModelInvalid for missing tensors."""
    stored = read_tensors(folder)
    body, head = bert_weights(stored)
    graph = BertGraph(Tensors(body, folder=folder), BertShape.of(folder), products)
    match folder.architecture:
        case "joint":
            return _joint(folder, graph, Tensors(stored, folder=folder))
        case "cross-encoder":
            names = head_names(head)
            return _classifier(folder, graph, Tensors({**head, **body}, folder=folder), names)
        case "bi-encoder":
            return ConvertedModel({BODY: _body(folder, graph)}, {}, graph.positions)


def _classifier(folder: ModelFolder, graph: BertGraph, tensors: Tensors, names: tuple[str, str]) -> ConvertedModel:
    ids, types, lengths = _rows("ids"), _rows("types"), _lengths("lengths")
    layers = BertShape.of(folder).layers
    bias = padding_bias(padding(ids, lengths))
    x = graph.embeddings(ids, types)
    for number in range(layers):
        x = graph.layer(x, bias, number, first_only=number == layers - 1)
    head = {
        f"{layer}.{part}": tensors[f"{name}.{part}"]
        for layer, name in zip(("dense", "out"), names, strict=True)
        for part in ("weight", "bias")
    }
    model = Model([first_token(x)], [ids, types, lengths], BODY)  # -> (n, hidden)
    return ConvertedModel({BODY: model}, head, graph.positions)


def _body(folder: ModelFolder, graph: BertGraph) -> Model:
    ids, lengths = _rows("ids"), _lengths("lengths")
    layers, pooling = BertShape.of(folder).layers, folder.layout.pooling
    padded = padding(ids, lengths)
    bias = padding_bias(padded)
    x = graph.embeddings(ids)
    for number in range(layers):
        x = graph.layer(x, bias, number, first_only=pooling == "cls" and number == layers - 1)
    match pooling:
        case "mean":
            pooled = mean(x, padded, lengths)
        case "cls":
            pooled = first_token(x)
        case "lasttoken":
            pooled = last_token(x, lengths)
    return Model([pooled], [ids, lengths], BODY)  # -> (n, hidden)


def _joint(folder: ModelFolder, graph: BertGraph, tensors: Tensors) -> ConvertedModel:
    lower_layers, layers = lower_layer_count(folder), BertShape.of(folder).layers
    ids, lengths = _rows("ids"), _lengths("lengths")
    bias = padding_bias(padding(ids, lengths))
    x = graph.embeddings(ids)
    for number in range(lower_layers):
        x = graph.layer(x, bias, number)
    lower = Model([x], [ids, lengths], LOWER)  # -> (n, t, hidden)
    upper = _upper(graph, range(lower_layers, layers), hidden=BertShape.of(folder).hidden)
    head = {name: tensors[f"joint.{name}"] for name in ("scale", "bias", "head.weight")}
    return ConvertedModel({LOWER: lower, UPPER: upper}, head, graph.positions)


def _upper(graph: BertGraph, numbers: range, *, hidden: int) -> Model:
    query, passages = (ops.parameter([rows, -1, hidden], np.float32) for rows in (1, -1))
    query_lengths, lengths = _lengths("query_lengths", rows=1), _lengths("lengths")
    n = ops.slice(ops.shape_of(passages), *(constant([i], dtype=np.int64) for i in (0, 1, 1, 0)))
    one = constant([1], dtype=np.int64)
    queries = ops.broadcast(query, ops.concat([n, one, one], 0), broadcast_spec="BIDIRECTIONAL")  # (n, query, hidden)
    query_padded, padded = padding(query, query_lengths), padding(passages, lengths)
    queries_padded = ops.broadcast(query_padded, ops.concat([n, one], 0), broadcast_spec="BIDIRECTIONAL")
    x = ops.concat([queries, passages], 1)  # (n, query + passage, hidden)
    bias = padding_bias(ops.concat([queries_padded, padded], 1))
    for number in numbers:
        x = graph.layer(x, bias, number)
    length = ops.slice(ops.shape_of(query), *(constant([i], dtype=np.int64) for i in (1, 2, 1, 0)))
    zero, end, step, axis = (constant([i], dtype=np.int64) for i in (0, 2**31 - 1, 1, 1))
    means = [
        mean(ops.slice(x, zero, length, step, axis), queries_padded, query_lengths),
        mean(ops.slice(x, length, end, step, axis), padded, lengths),
    ]
    return Model(means, [query, query_lengths, passages, lengths], UPPER)  # -> (n, hidden) for queries and for passages


def _rows(name: str) -> Node:
    return ops.parameter([-1, -1], np.int32, name=name)


def _lengths(name: str, *, rows: int = -1) -> Node:
    return ops.parameter([rows], np.int32, name=name)

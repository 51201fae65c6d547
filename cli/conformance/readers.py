"""Readers of responses, one per format. Each raises Mismatch for a response that clients cannot parse."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Mapping, Sequence

Scores = list[tuple[int, float]]
"""Position in the request and score of each result, in the order of the response."""
ScoreReader = Callable[[object], Scores]
Vector = Sequence[float]
VectorReader = Callable[[object], list[Vector]]


class Mismatch(Exception):
    """A response that differs from the API. The message says how."""


def results_reader(list_key: str | None, score_key: str) -> ScoreReader:
    """Returns a reader of objects with `index` and *score_key*, in the list *list_key* (None: the response itself)."""

    def read(content: object) -> Scores:
        items = _list(content if list_key is None else _member(content, list_key))
        return [(_index(_member(item, "index")), _number(_member(item, score_key))) for item in items]

    return read


def weaviate_scores(content: object) -> Scores:
    """Returns the scores of Weaviate's format, which are in request order."""
    items = enumerate(_list(_member(content, "scores")))
    return [(index, _number(_member(item, "score"))) for index, item in items]


def tensor_scores(content: object) -> Scores:
    """Returns the scores of OpenSearch's text similarity, one tensor per text in request order."""
    (inference,) = _list(_member(content, "inference_results"))[:1] or [None]
    tensors = enumerate(_list(_member(inference, "output")))
    return [(index, _number((_list(_member(tensor, "data")) or [None])[0])) for index, tensor in tensors]


def list_scores(content: object) -> Scores:
    """Returns the scores of a list of numbers in request order."""
    return [(index, _number(score)) for index, score in enumerate(_list(content))]


def openai_vectors(content: object) -> list[Vector]:
    """Returns the vectors of OpenAI's format, as numbers or in base64."""
    return [_vector(_member(item, "embedding")) for item in _list(_member(content, "data"))]


def cohere_vectors(content: object) -> list[Vector]:
    """Returns the vectors of Cohere's format, version 2."""
    return [_vector(vector) for vector in _list(_member(_member(content, "embeddings"), "float"))]


def list_vectors(content: object) -> list[Vector]:
    """Returns the vectors of a list of lists."""
    return [_vector(vector) for vector in _list(content)]


def _vector(value: object) -> Vector:
    if not isinstance(value, str):
        return [_number(number) for number in _list(value)]
    try:
        raw = base64.b64decode(value, validate=True)
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    except (binascii.Error, struct.error) as exc:
        raise Mismatch(f"a vector is not base64 of float32: {exc}") from exc


def _member(value: object, key: str) -> object:
    if not isinstance(value, Mapping):
        raise Mismatch(f"expected an object with the key {key}, got {_kind(value)}")
    if key not in value:
        raise Mismatch(f"the key {key} is missing")
    return value[key]


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise Mismatch(f"expected a list, got {_kind(value)}")
    return value


def _index(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Mismatch(f"index must be an integer, got {_kind(value)}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise Mismatch(f"a score must be a finite number, got {_kind(value)}")
    return float(value)


def _kind(value: object) -> str:
    names = {type(None): "null", dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), str(value))

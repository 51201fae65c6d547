"""Types of the values of settings."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rerank.core.cloud_id import with_resolved_cloud_id

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")

Mode = Literal["vector", "text", "hybrid"]
Runtime = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Fusion = Literal["auto", "none"]
Analyzer = Literal["standard", "english", "italian"]
Engine = Literal["lucene", "faiss"]
VectorIndex = Literal["int8_hnsw", "int4_hnsw", "bbq_hnsw", "hnsw", "flat"]

StoreLocation = Annotated[str, Field(min_length=1), AfterValidator(with_resolved_cloud_id)]
"""Folder or URL. A cloud ID of Elastic Cloud is replaced by its URL."""


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


def _name_pairs(value: object) -> object:
    """Returns the pairs from `name=model, name=model` (flag or environment) or from a table (file)."""
    if isinstance(value, dict):
        return tuple(value.items())
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    return tuple((name.strip(), model.strip()) for name, _, model in parts)


def _check_names(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    for name, model in pairs:
        if not name or not model:
            raise ValueError(f"must be a list of name=model, got {name or '='}. Use rerank-v3.5=default.")
        if name[0] in "/~.":
            raise ValueError(f"must not have a path as a public name, got {name}. Use name=path.")
    names = [name for name, _ in pairs]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"must have each public name once, got {repeated} twice.")
    return pairs


ModelNames = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_name_pairs), AfterValidator(_check_names)]
"""Public names of models, each with the model that it selects: a built-in name, a folder, a hub id or `default`."""


def _check_prefix(prefix: str) -> str:
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError(f"must start with / and must not end with /, got {prefix}. Use /rerank-service.")
    return prefix


PathPrefix = Annotated[str, AfterValidator(_check_prefix)]
"""Path in front of all routes, such as /rerank-service; empty for none."""


def _check_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    for i, key in enumerate(keys):
        if not key or not all("!" <= character <= "~" for character in key):
            raise ValueError(f"must contain printable ASCII characters without spaces only: key {i + 1} does not")
    return keys


def _keys(value: object) -> object:
    """Returns the keys of a comma-separated text. A text without any key is blank by mistake, unless it is empty."""
    keys = _comma_separated(value)
    return ("",) if isinstance(value, str) and value and not keys else keys


ApiKeys = Annotated[tuple[str, ...], BeforeValidator(_keys), AfterValidator(_check_keys)]
"""API keys. A header carries them unchanged, and nothing else can be mistaken for them."""


def _indexes_with_fields(value: object) -> object:
    """Returns the pairs from `name=field,field;name` (flag or environment) or from a table (file)."""
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(";") if part.strip()]
        return tuple((name.strip(), _comma_separated(fields)) for name, _, fields in parts)
    return (
        tuple((name, _comma_separated(fields)) for name, fields in value.items()) if isinstance(value, dict) else value
    )


ProxyIndexes = Annotated[
    tuple[tuple[Annotated[str, Field(min_length=1)], tuple[str, ...]], ...], BeforeValidator(_indexes_with_fields)
]
"""Index names or patterns, each with the fields to score; no fields means all text fields."""

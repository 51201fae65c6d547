"""Types of the values of settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

Mode = Literal["vector", "text", "hybrid"]
Runtime = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Fusion = Literal["auto", "none"]
Analyzer = Literal["standard", "english", "italian"]
Engine = Literal["lucene", "faiss"]


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


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

"""Base class of the request bodies of other products' APIs.

Clients of these APIs send keys that one server knows and another does not, and numbers and booleans as strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from rerank.core.settings import MAX_TIMEOUT_MS

IGNORED_HEADER = "x-rerank-ignored"
"""Response header that lists the keys of a request that had no effect."""

_MAX_KEYS = 20
_MAX_CHARACTERS = 60


class TolerantModel(BaseModel):
    """A frozen JSON object that accepts unknown keys and converts strings such as "true" and "10"."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def ignored_keys(self) -> list[str]:
        """Returns the unknown keys, without duplicates. A key of a nested object follows the key of the object."""
        return list(dict.fromkeys([*(self.model_extra or {}), *_nested_keys(self)]))


def ignored_header(keys: list[str]) -> dict[str, str]:
    """Returns the header that lists *keys*, at most 20; empty without keys.

    Percent-encodes characters that are not allowed in a header.
    """
    shown = [quote(key[:_MAX_CHARACTERS].encode(errors="replace"), safe=".-_ ") for key in keys[:_MAX_KEYS]]
    return {IGNORED_HEADER: ", ".join(shown)} if keys else {}


def _nested_keys(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        for member in value if isinstance(value, list) else [value]:
            if isinstance(member, TolerantModel):
                yield from (f"{name}.{key}" for key in member.ignored_keys())


def _blank_as_null(value: object) -> object:
    return None if value == "" else value


def _number(value: object) -> object:
    """Refuses a boolean, which pydantic converts to 0 or 1."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return _blank_as_null(value)


Flag = Annotated[bool | None, BeforeValidator(_blank_as_null)]
"""A boolean, or a string such as "true". An empty string counts as null."""
Count = Annotated[int | None, Field(ge=0), BeforeValidator(_number)]
"""An integer of at least 0, or a string such as "10". An empty string counts as null."""
PositiveCount = Annotated[int | None, Field(ge=1), BeforeValidator(_number)]
"""An integer of at least 1, in the forms of Count."""
TokenLimit = Annotated[int | None, Field(ge=-1), BeforeValidator(_number)]
"""A number of tokens, or -1 for the limit of the model, in the forms of Count."""
Milliseconds = Annotated[int | None, Field(ge=1, le=MAX_TIMEOUT_MS), BeforeValidator(_number)]
"""A time budget, in the forms of Count."""

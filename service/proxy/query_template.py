"""Search bodies with a placeholder for the query text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rerank.core.errors import InvalidInput

PLACEHOLDER = "{query}"


@dataclass(frozen=True, slots=True)
class QueryTemplate:
    """Body of a search. `{query}` stands for the query text in any of its strings."""

    body: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Returns the template in *file*. Raises InvalidInput, which names the file, if it is invalid."""
        try:
            body = json.loads(file.read_text(encoding="utf-8"))
        except OSError as exc:
            raise InvalidInput(f"cannot read the query template {file}: {exc.strerror}") from exc
        except (ValueError, RecursionError) as exc:
            raise InvalidInput(f"the query template {file} must be JSON: {exc}") from exc
        if not isinstance(body, dict):
            raise InvalidInput(f"the query template {file} must be the JSON object of a search body")
        if not _contains_placeholder(body):
            raise InvalidInput(
                f"the query template {file} has no {PLACEHOLDER}. Write {PLACEHOLDER} in place of the query text, such"
                ' as {"query": {"match": {"body": "{query}"}}}'
            )
        return cls(body)

    @classmethod
    def over_fields(cls, fields: Sequence[str]) -> Self:
        """Returns the search for the words of the query in *fields*, or in all fields if there are none."""
        clause: dict[str, Any] = {"query": PLACEHOLDER}
        # Without fields, OpenSearch also searches numbers and dates, which cannot match a text.
        clause |= {"fields": list(fields)} if fields else {"lenient": True}
        return cls({"query": {"multi_match": clause}})

    def fill(self, query: str) -> dict[str, Any]:
        """Returns the body for *query*."""
        filled: dict[str, Any] = _filled(self.body, query)
        return filled


def _contains_placeholder(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_contains_placeholder, value.values()))
    if isinstance(value, list):
        return any(map(_contains_placeholder, value))
    return isinstance(value, str) and PLACEHOLDER in value


def _filled(value: Any, query: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(member, query) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, query) for member in value]
    return value.replace(PLACEHOLDER, query) if isinstance(value, str) else value

"""Index names: OpenSearch's rule, enforced by all stores."""

from __future__ import annotations

from collections.abc import Iterable

from rerank.core.errors import IndexNotFound, InvalidIndexName

MAX_BYTES = 230
"""OpenSearch allows 255 bytes, but a store appends a suffix to name a generation."""

_FORBIDDEN = frozenset('\\/*?"<>| ,#:')


def check_index_name(name: str) -> None:
    """Raises InvalidIndexName, with the reason, if *name* breaks OpenSearch's rule."""
    reason = _problem(name)
    if reason is not None:
        raise InvalidIndexName(
            f"{name!r} is not a valid index name: {reason}. A name must be lower case, without spaces or any of "
            f"{''.join(sorted(_FORBIDDEN - {' '}))}, and must not start with _, - or +."
        )


def index_not_found(name: str, existing: Iterable[str], location: str) -> IndexNotFound:
    """Returns the error for the missing index *name*; it lists the *existing* ones."""
    return IndexNotFound(
        f'No index "{name}" in {location} (existing: {", ".join(sorted(existing)) or "none"}). '
        f"Create it with rerank-cli ingest CORPUS --index {name}."
    )


def _problem(name: str) -> str | None:
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return "it is a folder name"
    if name[0] in "_-+":
        return f"it starts with {name[0]}"
    if name != name.lower():
        return "it has upper-case letters"
    forbidden = next((char for char in name if char in _FORBIDDEN or not char.isprintable()), None)
    if forbidden is not None:
        return f"it contains {forbidden!r}"
    size = len(name.encode())
    return f"it must have at most {MAX_BYTES} bytes, got {size}" if size > MAX_BYTES else None

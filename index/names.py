"""The names that an index may have: OpenSearch's rule, on both stores."""

from __future__ import annotations

from rerank.core.errors import InvalidIndexName

MAX_BYTES = 230
"""OpenSearch allows 255; the rest is for what a store adds to tell the generations of an index apart."""

_FORBIDDEN = frozenset('\\/*?"<>| ,#:')


def check_index_name(name: str) -> None:
    """Raise InvalidIndexName, saying what is wrong, when *name* is outside OpenSearch's rule."""
    reason = _fault(name)
    if reason is not None:
        raise InvalidIndexName(
            f"{name!r} cannot name an index: {reason}; "
            f"a name is in lower case, without blanks or any of {''.join(sorted(_FORBIDDEN - {' '}))}, "
            f"and does not start with _, - or +"
        )


def _fault(name: str) -> str | None:
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return "it names a folder"
    if name[0] in "_-+":
        return f"it starts with {name[0]}"
    if name != name.lower():
        return "it has upper-case letters"
    forbidden = next((sign for sign in name if sign in _FORBIDDEN or not sign.isprintable()), None)
    if forbidden is not None:
        return f"it has {forbidden!r} in it"
    size = len(name.encode())
    return f"it is {size} bytes long and at most {MAX_BYTES} fit" if size > MAX_BYTES else None

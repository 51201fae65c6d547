"""Which headers travel on, and which belong to one connection alone (RFC 9110, section 7.6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Headers = tuple[tuple[str, str], ...]

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_OURS_TO_SET = frozenset({"host", "content-length", "expect"})
"""The address, the body's length and the wait for a go-ahead are between us and each side."""


def of_request(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers of a WSGI request that go on to the server; names are in lower case."""
    dropped = HOP_BY_HOP | _OURS_TO_SET | _named_by(environ.get("HTTP_CONNECTION", ""))
    headers = []
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").lower()
            if name not in dropped:
                headers.append((name, value))
    if environ.get("CONTENT_TYPE"):
        headers.append(("content-type", environ["CONTENT_TYPE"]))
    return headers


def of_answer(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of the server's answer that go back to the client."""
    dropped = HOP_BY_HOP
    for name, value in headers:
        if name.lower() == "connection":
            dropped = dropped | _named_by(value)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def is_safe(text: str) -> bool:
    """Whether *text* can stand in a head without ending its line: servers check that too, and not all of them."""
    return "\r" not in text and "\n" not in text and "\0" not in text


def _named_by(connection: str) -> frozenset[str]:
    """The headers that a Connection header keeps to its connection; the body's own are not its to name."""
    if not connection or connection.lower() in ("keep-alive", "close"):
        return frozenset()
    named = {name.strip().lower() for name in connection.split(",")}
    return frozenset(named - {"content-length", "content-type", "content-encoding", "host"})

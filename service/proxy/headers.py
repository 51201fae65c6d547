"""Selection of the headers that the proxy forwards (RFC 9110, section 7.6.1)."""

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

_SET_BY_PROXY = frozenset({"host", "content-length", "expect"})
"""Request headers that the proxy sets or handles itself."""

_NEVER_HOP_BY_HOP = frozenset({"content-length", "content-type", "content-encoding", "host"})


def forwarded_request_headers(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the headers of a WSGI request that the proxy forwards to the server, with names in lower case."""
    dropped = HOP_BY_HOP | _SET_BY_PROXY | _listed_in(environ.get("HTTP_CONNECTION", ""))
    headers = []
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").lower()
            if name not in dropped:
                headers.append((name, value))
    if environ.get("CONTENT_TYPE"):
        headers.append(("content-type", environ["CONTENT_TYPE"]))
    return headers


def forwarded_response_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the headers of the server's response that the proxy sends to the client."""
    dropped = HOP_BY_HOP
    for name, value in headers:
        if name.lower() == "connection":
            dropped = dropped | _listed_in(value)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def is_safe(text: str) -> bool:
    """Returns True if *text* contains no line end and no NUL, so that it cannot add another header."""
    return "\r" not in text and "\n" not in text and "\0" not in text


def _listed_in(connection: str) -> frozenset[str]:
    """Returns the headers that a Connection header makes hop-by-hop. Headers that describe the body never are."""
    if not connection or connection.lower() in ("keep-alive", "close"):
        return frozenset()
    return frozenset(name.strip().lower() for name in connection.split(",")) - _NEVER_HOP_BY_HOP

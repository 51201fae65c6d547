"""A search as a client sent it: the index, the address's parameters, the body."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from rerank.service.compression import decompress
from rerank.service.proxy.request import ClientRequest

Params = tuple[tuple[str, str], ...]

SEARCH = re.compile(r"^(?:/([^/]+))?/_search$")
MULTI_SEARCH = re.compile(r"^(?:/([^/]+))?/_msearch$")

_ELASTICSEARCH = re.compile(r"application/vnd\.elasticsearch\+json; ?compatible-with=\d{1,3}")
_TRUE = ("", "true")
_ENCODED = frozenset({"content-encoding", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class SearchCall:
    """One search. `index` is the expression of its path, decoded; empty for all indexes."""

    index: str
    params: Params
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...]
    client: socket.socket | None = None

    @classmethod
    def read(cls, request: ClientRequest, body: Mapping[str, Any], headers: list[tuple[str, str]]) -> Self:
        """From a request for a path of SEARCH, its *body* read and its *headers* as they go on."""
        found = SEARCH.match(request.path)
        index = unquote((found.group(1) if found else None) or "")
        return cls(
            index,
            tuple(parse_qsl(request.query, keep_blank_values=True)),
            body,
            plain(headers),
            request.environ.get("gunicorn.socket"),
        )

    def param(self, name: str) -> str | None:
        """The address's parameter *name*; the last one counts."""
        return next((value for key, value in reversed(self.params) if key == name), None)

    def flag(self, name: str) -> bool:
        """Whether the parameter *name* is switched on."""
        return self.param(name) in _TRUE

    def number(self, name: str, default: int) -> int | None:
        """`from` or `size`: the address's, else the body's. None for what is no whole number."""
        value = self.param(name)
        given: object = self.body.get(name, default) if value is None else value
        if isinstance(given, bool):
            return None
        try:
            return int(given)  # type: ignore[call-overload, no-any-return]
        except (TypeError, ValueError, OverflowError):
            return None

    def target(self, *without: str) -> str:
        """Path and query string, for the server, less the parameters *without*."""
        path = f"/{quote(self.index, safe=',*-')}/_search" if self.index else "/_search"
        kept = [(name, value) for name, value in self.params if name not in without]
        return f"{path}?{urlencode(kept)}" if kept else path

    def with_body(self, body: Mapping[str, Any]) -> SearchCall:
        """The same call with another body."""
        return replace(self, body=body)


def json_type(headers: tuple[tuple[str, str], ...]) -> str:
    """The content type of a JSON body that goes with *headers*: an Elasticsearch wants its version on both sides."""
    accept = dict(headers).get("accept", "")
    return accept if _ELASTICSEARCH.fullmatch(accept) else "application/json"


def plain(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """*headers* for a body that was unpacked, and for an answer that will be read here."""
    return tuple((name, value) for name, value in headers if name not in _ENCODED)


def plain_bytes(raw: bytes, encoding: str, limit: int) -> bytes | None:
    """*raw* without its compression; None for one that is not known, is broken, or unpacks to more than *limit*."""
    if encoding.lower() in ("", "identity"):
        return raw
    if encoding.lower() != "gzip":
        return None
    try:
        return decompress(raw, limit)
    except ValueError:
        return None


def parsed(data: bytes) -> object:
    """JSON as Python reads it; None for what is none: the server says what is wrong with it."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None

"""Searches as clients send them: index, URL parameters and body."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from rerank.service.compression import decompress, inflate
from rerank.service.patterns import ELASTICSEARCH_TYPE, SEARCH_PATH, TEMPLATE_PATH
from rerank.service.proxy.request import ClientRequest

Params = tuple[tuple[str, str], ...]

_TRUE = ("", "true")
_ENCODING_HEADERS = frozenset({"content-encoding", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class SearchCall:
    """One search. `index` is the decoded index expression of the path; an empty one means all indexes."""

    index: str
    params: Params
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...]
    client: socket.socket | None = None

    @classmethod
    def from_request(cls, request: ClientRequest, body: Mapping[str, Any], headers: list[tuple[str, str]]) -> Self:
        """Returns the search of a request to SEARCH_PATH or TEMPLATE_PATH, with its parsed *body* and *headers*."""
        match = SEARCH_PATH.match(request.path) or TEMPLATE_PATH.match(request.path)
        index = unquote((match.group(1) if match else None) or "")
        return cls(
            index,
            tuple(parse_qsl(request.query, keep_blank_values=True)),
            body,
            without_encoding(headers),
            request.client,
        )

    def param(self, name: str) -> str | None:
        """Returns the URL parameter *name*. If it occurs several times, the last value is used."""
        return next((value for key, value in reversed(self.params) if key == name), None)

    def flag(self, name: str) -> bool:
        """Returns True if the URL parameter *name* is present without a value or with the value true."""
        return self.param(name) in _TRUE

    def number(self, name: str, default: int) -> int | None:
        """Returns `from` or `size` of the URL, else of the body. Returns None if the value is not an integer."""
        value = self.param(name)
        given: object = self.body.get(name, default) if value is None else value
        if isinstance(given, bool):
            return None
        try:
            return int(given)  # type: ignore[call-overload, no-any-return]
        except (TypeError, ValueError, OverflowError):
            return None

    def target(self, *without: str) -> str:
        """Returns the path and query string for the server, without the parameters *without*."""
        path = f"/{quote(self.index, safe=',*-')}/_search" if self.index else "/_search"
        params = [(name, value) for name, value in self.params if name not in without]
        return f"{path}?{urlencode(params)}" if params else path

    def with_body(self, body: Mapping[str, Any]) -> SearchCall:
        """Returns the same search with another body."""
        return replace(self, body=body)


def json_content_type(headers: tuple[tuple[str, str], ...]) -> str:
    """Returns the content type of a JSON body sent with *headers*.

    Elasticsearch requires the same version in Accept and Content-Type.
    """
    accept = dict(headers).get("accept", "")
    return accept if ELASTICSEARCH_TYPE.fullmatch(accept) else "application/json"


def without_encoding(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Returns *headers* for an uncompressed body and a response that the proxy parses."""
    return tuple((name, value) for name, value in headers if name not in _ENCODING_HEADERS)


def decompress_body(raw: bytes, encoding: str, limit: int) -> bytes | None:
    """Returns *raw* decompressed.

    Returns None if the encoding is unknown, the data is invalid, or the result exceeds *limit* bytes.
    """
    if encoding.lower() in ("", "identity"):
        return raw
    try:
        if encoding.lower() == "gzip":
            return decompress(raw, limit)
        return inflate(raw, limit) if encoding.lower() == "deflate" else None
    except ValueError:
        return None


def parse_json(data: bytes) -> object:
    """Returns the JSON value of *data*, or None if it is invalid: the server then reports the error.

    Returns None for UTF-16 and UTF-32, too, in which ASCII characters have bytes 0: JsonLimits counts UTF-8.
    """
    if b"\0" in data:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None

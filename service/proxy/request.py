"""A client's request, as it is sent on."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from urllib.parse import quote, unquote
from wsgiref.types import WSGIEnvironment

from rerank.core.errors import InvalidRequest
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import ClientGone, Exchange
from rerank.service.proxy.headers import is_safe, of_request

SMALL_BYTES = 64 * 1024
"""Bodies up to it are sent in one piece with their head."""

_SEPARATOR = re.compile(r"[/\\\\]")

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a client asked for. `target` is its path and query string as they were sent, never decoded."""

    method: str
    target: str
    environ: WSGIEnvironment

    @property
    def path(self) -> str:
        """The target without its query string, percent signs and all."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]

    @classmethod
    def read(cls, environ: WSGIEnvironment) -> ClientRequest:
        """From a WSGI request.

        Raises InvalidRequest for a target that is no path (it would name another server), for one that is no
        address at all, and for a body whose end is told in two ways.
        """
        method = environ["REQUEST_METHOD"]
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or _rebuilt(environ)
        if not target.startswith("/") or method == "CONNECT":
            raise InvalidRequest("the target of a request is a path, which starts with /, and no address of a server")
        if not (is_safe(target) and is_safe(method)) or " " in target:
            raise InvalidRequest("the target of a request has no spaces, line ends or NUL in it")
        if "HTTP_TRANSFER_ENCODING" in environ and environ.get("CONTENT_LENGTH"):
            raise InvalidRequest("a request has Content-Length or Transfer-Encoding, not both")
        return cls(method, target, environ)

    def exchange(self, address: Address, headers: Iterable[tuple[str, str]]) -> Exchange:
        """The request as the server at *address* gets it, with *headers* in place of the client's own.

        Raises ClientGone when the client leaves before its body is whole, and InvalidRequest for a path that could
        lead out of the address's own.
        """
        environ, stream = self.environ, self.environ["wsgi.input"]
        lines = list(headers)
        first, rest = b"", None
        length = environ.get("CONTENT_LENGTH")
        if length:
            size = int(length)
            lines.append(("content-length", str(size)))
            first = stream.read(min(size, SMALL_BYTES))
            if size > SMALL_BYTES:
                rest = _pieces(stream, size - len(first))
            elif len(first) < size:
                raise ClientGone(errno.ECONNRESET, "the client left before its body was whole")
        elif "HTTP_TRANSFER_ENCODING" in environ:
            lines.append(("transfer-encoding", "chunked"))
            rest = _chunks(stream)
        head = head_of(self.method, self.target, address, lines)
        return Exchange(self.method, head, first, rest, environ.get("gunicorn.socket"))

    def buffered(self, limit: int) -> tuple[ClientRequest, bytes | None]:
        """This request with a body that can be read once more, and that body; None where it has more than *limit*
        bytes. Raises ClientGone when the client leaves before its body is whole."""
        stream = self.environ["wsgi.input"]
        length = self.environ.get("CONTENT_LENGTH")
        if not length and "HTTP_TRANSFER_ENCODING" not in self.environ:
            return self, b""
        if length and int(length) > limit:
            return self, None
        size = int(length) if length else limit + 1
        data = stream.read(size)
        if length and len(data) < size:
            raise ClientGone(errno.ECONNRESET, "the client left before its body was whole")
        again = replace(self, environ={**self.environ, "wsgi.input": _Again(data, stream)})
        return again, data if len(data) <= limit else None

    def headers(self) -> list[tuple[str, str]]:
        """The headers that travel on."""
        return of_request(self.environ)


def head_of(method: str, target: str, address: Address, headers: Iterable[tuple[str, str]]) -> bytes:
    """Request line and headers, in bytes.

    Raises InvalidRequest for a header that would end its own line, and for a path that could lead out of the
    address's own.
    """
    if address.prefix and _leaves(target.partition("?")[0]):
        raise InvalidRequest("the path has a segment . or .. in it, which could lead out of the store's own path")
    lines = [f"{method} {address.prefix}{target} HTTP/1.1", f"host: {address.authority}"]
    for name, value in headers:
        if not (is_safe(value) and is_safe(name)):
            raise InvalidRequest(f"the header {name.encode('unicode_escape').decode()} holds a line end or NUL")
        lines.append(f"{name}: {value}")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as exc:
        raise InvalidRequest("the target and the headers of a request are bytes, one character each") from exc


class _Again:
    """A body whose beginning has been read already."""

    def __init__(self, data: bytes, rest: BinaryIO) -> None:
        self._data = io.BytesIO(data)
        self._rest = rest

    def read(self, size: int) -> bytes:
        """What was read already, then the rest; empty at its end."""
        return self._data.read(size) or self._rest.read(size)


def _pieces(stream: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        piece = stream.read(min(left, PIECE_BYTES))
        if not piece:
            raise ClientGone(errno.ECONNRESET, "the client left before its body was whole")
        left -= len(piece)
        yield piece


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(SMALL_BYTES):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _leaves(path: str) -> bool:
    """Whether a server could take a part of *path* for a way up."""
    return any(segment in (".", "..") for segment in _SEPARATOR.split(unquote(path)))


def _rebuilt(environ: dict[str, Any]) -> str:
    """The target, where a server does not keep it as it was sent: as near as it can be made."""
    path = quote(environ.get("PATH_INFO", "/").encode("latin-1"), safe="/!$&'()*+,;=:@~")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path

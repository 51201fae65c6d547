"""Client requests, and the requests that the proxy derives from them for the server."""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from urllib.parse import quote, unquote
from wsgiref.types import WSGIEnvironment

from rerank.core.errors import InvalidRequest
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import ClientDisconnected, OutgoingRequest
from rerank.service.proxy.headers import forwarded_request_headers, is_safe

SMALL_BODY_BYTES = 64 * 1024
"""Bodies up to this size are sent in one piece with their head."""

_CHUNK_BYTES = 1 << 20
_INCOMPLETE_BODY = "the client disconnected before its body was complete"


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request of a client. `target` is the path and query string as the client sent them, never decoded."""

    method: str
    target: str
    environ: WSGIEnvironment

    @property
    def path(self) -> str:
        """The target without its query string, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query string without the question mark."""
        return self.target.partition("?")[2]

    @property
    def client(self) -> socket.socket | None:
        """The client's socket, or None if the WSGI server does not provide it."""
        return self.environ.get("gunicorn.socket")

    @classmethod
    def from_environ(cls, environ: WSGIEnvironment) -> ClientRequest:
        """Returns the request of a WSGI environment.

        Raises InvalidRequest if the target is not a path (it could name another server), if it contains unsafe
        characters, or if two headers state the length of the body.
        """
        method = environ["REQUEST_METHOD"]
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or _rebuild_target(environ)
        if not target.startswith("/") or method == "CONNECT":
            raise InvalidRequest("the target of a request must be a path that starts with /. Remove the server's URL.")
        if not (is_safe(target) and is_safe(method)) or " " in target:
            raise InvalidRequest(
                "the target of a request must not contain spaces, line ends or NUL. Percent-encode these characters."
            )
        if "HTTP_TRANSFER_ENCODING" in environ and environ.get("CONTENT_LENGTH"):
            raise InvalidRequest("a request must have Content-Length or Transfer-Encoding, not both. Send one of them.")
        return cls(method, target, environ)

    def outgoing(self, address: Address, headers: Iterable[tuple[str, str]]) -> OutgoingRequest:
        """Returns the request for the server at *address*, with *headers* instead of the client's.

        Raises ClientDisconnected if the client disconnects before its body is complete, and InvalidRequest if the
        path leaves the path prefix of *address*.
        """
        environ, stream = self.environ, self.environ["wsgi.input"]
        lines = list(headers)
        first, rest = b"", None
        length = environ.get("CONTENT_LENGTH")
        if length:
            size = int(length)
            lines.append(("content-length", str(size)))
            first = stream.read(min(size, SMALL_BODY_BYTES))
            if size > SMALL_BODY_BYTES:
                rest = _read_exactly(stream, size - len(first))
            elif len(first) < size:
                raise ClientDisconnected(errno.ECONNRESET, _INCOMPLETE_BODY)
        elif "HTTP_TRANSFER_ENCODING" in environ:
            lines.append(("transfer-encoding", "chunked"))
            rest = _chunked(stream)
        head = encode_head(self.method, self.target, address, lines)
        return OutgoingRequest(self.method, head, first, rest, self.client)

    def buffer_body(self, limit: int) -> tuple[ClientRequest, bytes | None]:
        """Reads the body. Returns a request whose body can be read again, and the body, or None above *limit* bytes.

        Raises ClientDisconnected if the client disconnects before its body is complete.
        """
        stream = self.environ["wsgi.input"]
        length = self.environ.get("CONTENT_LENGTH")
        if not length and "HTTP_TRANSFER_ENCODING" not in self.environ:
            return self, b""
        if length and int(length) > limit:
            return self, None
        size = int(length) if length else limit + 1
        data = stream.read(size)
        if length and len(data) < size:
            raise ClientDisconnected(errno.ECONNRESET, _INCOMPLETE_BODY)
        buffered = replace(self, environ={**self.environ, "wsgi.input": _BufferedBody(data, stream)})
        return buffered, data if len(data) <= limit else None

    def headers(self) -> list[tuple[str, str]]:
        """Returns the headers that the proxy forwards."""
        return forwarded_request_headers(self.environ)


def encode_head(method: str, target: str, address: Address, headers: Iterable[tuple[str, str]]) -> bytes:
    """Returns the request line and the headers as bytes.

    Raises InvalidRequest if a header contains a line end, and if the path leaves the path prefix of *address*.
    """
    if address.prefix and _has_dot_segment(target.partition("?")[0]):
        raise InvalidRequest(
            "the path must not contain the segments . or .., because the setting store has a path. "
            "Send the path without them."
        )
    lines = [f"{method} {address.prefix}{target} HTTP/1.1", f"host: {address.authority}"]
    for name, value in headers:
        if not (is_safe(value) and is_safe(name)):
            raise InvalidRequest(
                f"the header {name.encode('unicode_escape').decode()} must not contain a line end or NUL. Remove it."
            )
        lines.append(f"{name}: {value}")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as exc:
        raise InvalidRequest(
            "the target and the headers must contain Latin-1 characters only. Percent-encode all others."
        ) from exc


class _BufferedBody:
    """Body whose beginning has already been read."""

    def __init__(self, data: bytes, rest: BinaryIO) -> None:
        self._data = io.BytesIO(data)
        self._rest = rest

    def read(self, size: int) -> bytes:
        """Returns the buffered bytes, then the rest of the stream, and b"" at its end."""
        return self._data.read(size) or self._rest.read(size)


def _read_exactly(stream: BinaryIO, remaining: int) -> Iterator[bytes]:
    while remaining:
        chunk = stream.read(min(remaining, _CHUNK_BYTES))
        if not chunk:
            raise ClientDisconnected(errno.ECONNRESET, _INCOMPLETE_BODY)
        remaining -= len(chunk)
        yield chunk


def _chunked(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(SMALL_BODY_BYTES):
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def _has_dot_segment(path: str) -> bool:
    """Returns True if a server could resolve a part of *path* to a parent folder."""
    return any(segment in (".", "..") for segment in unquote(path).replace("\\", "/").split("/"))


def _rebuild_target(environ: dict[str, Any]) -> str:
    """Returns the target, rebuilt from the decoded path for WSGI servers that do not provide the original target."""
    path = quote(environ.get("PATH_INFO", "/").encode("latin-1"), safe="/!$&'()*+,;=:@~")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path

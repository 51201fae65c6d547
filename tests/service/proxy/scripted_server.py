"""Server that sends exactly the bytes that a test defines, and records the requests."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

JSON_HEAD = (
    b"HTTP/1.1 200 OK\r\nX-OpenSearch-Version: OpenSearch/3.5.0 (opensearch)\r\ncontent-type: application/json\r\n"
)


def json_response(body: bytes) -> bytes:
    """Returns a complete response with *body*."""
    return JSON_HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body)


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it arrived: request line, headers, body without chunk framing, and number of its connection."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


Respond = Callable[[ReceivedRequest, socket.socket], bytes | None]
"""Function that returns the bytes to send, or None to close the connection."""


class ScriptedServer:
    """Server on a free port, with TLS if *tls* is given. A test may replace `respond` at any time."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.requests: list[ReceivedRequest] = []
        self.closed_connections: list[int] = []
        """Numbers of the connections that the peer closed, in order."""
        self.respond: Respond = lambda request, connection: json_response(b"{}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the server."""
        port = self._listener.getsockname()[1]
        return f"https://localhost:{port}" if self._tls is not None else f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """Stops the server and closes every connection."""
        self._listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Closes every connection, as a restarted server does."""
        while self._connections:
            connection = self._connections.pop()
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def reset(self) -> None:
        """Forgets the requests and responds with an empty object."""
        self.requests.clear()
        self.closed_connections.clear()
        self.respond = lambda request, connection: json_response(b"{}")

    def _listen(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except OSError:
                    # The client did not trust the certificate.
                    connection.close()
                    continue
            number += 1
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while line := stream.readline():
                    request = _read_request(line, stream, number)
                    self.requests.append(request)
                    response = self.respond(request, connection)
                    if response is None:
                        return
                    connection.sendall(response)
            except OSError:
                return
            finally:
                self.closed_connections.append(number)


def _read_request(line: bytes, stream: io.BufferedReader, number: int) -> ReceivedRequest:
    headers: dict[str, str] = {}
    while (header := stream.readline()) != b"\r\n":
        name, _, value = header.decode("latin-1").partition(":")
        assert name.lower() not in headers, f"header {name} arrived twice"
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") != "chunked":
        body = _read_exactly(stream, int(headers.get("content-length", "0")))
    else:
        body = b""
        while size := int(stream.readline().strip() or b"0", 16):
            body += _read_exactly(stream, size)
            _read_exactly(stream, 2)
        _read_exactly(stream, 2)
    return ReceivedRequest(line.decode("latin-1").rstrip("\r\n"), headers, body, number)


def _read_exactly(stream: io.BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionResetError("incomplete request")
    return data


def wait_until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Waits until *condition* holds, and fails after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:g} seconds"
        time.sleep(0.01)


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Runs a scripted server for the duration of a block."""
    server = ScriptedServer(tls)
    try:
        yield server
    finally:
        server.close()

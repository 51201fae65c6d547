"""A server that answers what a test tells it, byte by byte, and keeps what it was asked."""

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


def json_answer(body: bytes) -> bytes:
    """A whole answer around *body*."""
    return JSON_HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived: its head's lines, its body without chunk marks, and the connection it came by."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


Answer = Callable[[Asked, socket.socket], bytes | None]
"""What to send; None: nothing more, the connection is closed."""


class ScriptedServer:
    """Listens on a free port, by TLS where it is given a context. `answer` may be replaced at any time."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[Asked] = []
        self.gone: list[int] = []
        """The connections that the other side closed, in order."""
        self.answer: Answer = lambda asked, connection: json_answer(b"{}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        port = self._listener.getsockname()[1]
        return f"https://localhost:{port}" if self._tls is not None else f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """Stop, and drop every connection."""
        self._listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """As a server that is restarted does."""
        while self._connections:
            connection = self._connections.pop()
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def reset(self) -> None:
        """Forget what was asked, and answer an empty object."""
        self.asked.clear()
        self.gone.clear()
        self.answer = lambda asked, connection: json_answer(b"{}")

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
                    # The other side did not trust us.
                    connection.close()
                    continue
            number += 1
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while line := stream.readline():
                    asked = _read(line, stream, number)
                    self.asked.append(asked)
                    said = self.answer(asked, connection)
                    if said is None:
                        return
                    connection.sendall(said)
            except OSError:
                return
            finally:
                self.gone.append(number)


def _read(line: bytes, stream: io.BufferedReader, number: int) -> Asked:
    headers: dict[str, str] = {}
    while (header := stream.readline()) != b"\r\n":
        name, _, value = header.decode("latin-1").partition(":")
        assert name.lower() not in headers, f"{name} came twice"
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") != "chunked":
        body = _whole(stream, int(headers.get("content-length", "0")))
    else:
        body = b""
        while size := int(stream.readline().strip() or b"0", 16):
            body += _whole(stream, size)
            _whole(stream, 2)
        _whole(stream, 2)
    return Asked(line.decode("latin-1").rstrip("\r\n"), headers, body, number)


def _whole(stream: io.BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionResetError("half a request")
    return data


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """One, for the time of a test."""
    server = ScriptedServer(tls)
    try:
        yield server
    finally:
        server.close()

"""Incremental parser for the HTTP responses of the server."""

from __future__ import annotations

from dataclasses import dataclass

from httptools import HttpResponseParser
from httptools.parser.errors import HttpParserError, HttpParserUpgrade

from rerank.core.errors import StoreAnswerInvalid
from rerank.service.proxy.headers import Headers

MAX_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status line and headers of a response. `length` is None if no header states the length of the body."""

    status: int
    reason: str
    headers: Headers
    length: int | None

    @property
    def status_line(self) -> str:
        """Status code and reason phrase, as WSGI expects them."""
        return f"{self.status} {self.reason}"

    def header(self, name: str) -> str:
        """Returns the value of the first header *name* (in lower case), or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class ResponseParser:
    """Parser of one response. It skips interim responses (1xx).

    `head` is None until the headers are complete. `pieces` collects the body without chunk framing.
    """

    def __init__(self, method: str) -> None:
        self._parser = HttpResponseParser(self)
        self._headless = method == "HEAD"
        self._reason = b""
        self._headers: list[tuple[str, str]] = []
        self._fed = 0
        self._surplus = False
        self._ends_with_connection = False
        self.head: ResponseHead | None = None
        self.pieces: list[bytes] = []
        self.complete = False
        self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Parses *data*; an empty value means that the server closed the connection.

        Raises StoreAnswerInvalid for an invalid HTTP response and for one that ends too early.
        """
        if not data:
            if self.head is None or not self._ends_with_connection:
                raise StoreAnswerInvalid(
                    "OpenSearch closed the connection in the middle of its response. Retry the request."
                )
            self.complete = True
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            # Bytes after a complete response do not matter: the connection is not used again.
            if not self.complete:
                raise StoreAnswerInvalid(
                    f"the response of the server must be HTTP, got invalid data ({exc}). "
                    "Check that the setting store is the URL of an OpenSearch server."
                ) from exc
        if self.head is None:
            self._fed += len(data)
            if self._fed > MAX_HEAD_BYTES:
                raise StoreAnswerInvalid(
                    f"the headers of the server's response must be at most {MAX_HEAD_BYTES >> 10} KB. "
                    "Check that the setting store is the URL of an OpenSearch server."
                )

    @property
    def started(self) -> bool:
        """True if any byte of the response has arrived."""
        return self._fed > 0 or self.head is not None

    @property
    def reusable(self) -> bool:
        """True if the connection can carry another request."""
        return self.complete and self.keep_alive and not self._surplus

    def take(self) -> bytes:
        """Returns the bytes of the body that arrived since the last call."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        return data

    # httptools calls the methods below.

    def on_message_begin(self) -> None:
        """Starts a message. A second final message is surplus."""
        self._surplus = self.complete
        self._reason = b""
        self._headers = []

    def on_status(self, reason: bytes) -> None:
        """Adds to the reason phrase."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header."""
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Completes the head of a final response."""
        status = self._parser.get_status_code()
        if status < 200 or self._surplus:
            return
        lengths = [value for name, value in self._headers if name.lower() == "content-length"]
        chunked = any(name.lower() == "transfer-encoding" for name, _ in self._headers)
        self._ends_with_connection = not lengths and not chunked
        self.head = ResponseHead(
            status, self._reason.decode("latin-1"), tuple(self._headers), int(lengths[0]) if lengths else None
        )
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = self._headless

    def on_body(self, body: bytes) -> None:
        """Adds a part of the body."""
        if not (self._headless or self._surplus):
            self.pieces.append(body)

    def on_message_complete(self) -> None:
        """Completes the response."""
        if self.head is not None:
            self.complete = True

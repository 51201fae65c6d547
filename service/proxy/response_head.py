"""The head of the server's answer, and the parser that finds it in the bytes."""

from __future__ import annotations

from dataclasses import dataclass

from httptools import HttpResponseParser
from httptools.parser.errors import HttpParserError, HttpParserUpgrade

from rerank.core.errors import StoreAnswerInvalid
from rerank.service.proxy.headers import Headers

MAX_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status line and headers, as they came. `length` None: the body's length is not told beforehand."""

    status: int
    reason: str
    headers: Headers
    length: int | None

    @property
    def status_line(self) -> str:
        """As WSGI wants it."""
        return f"{self.status} {self.reason}"

    def header(self, name: str) -> str:
        """The value of the first header *name* (in lower case); empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class ResponseParser:
    """Takes the bytes of one answer; interim ones (1xx) are passed over.

    `head` is None until the headers are complete; `pieces` collects the body, without chunk marks.
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
        """Take what came; no bytes mean that the server closed the connection.

        Raises StoreAnswerInvalid for what is no HTTP answer, and for one that ends too early.
        """
        if not data:
            if self.head is None or not self._ends_with_connection:
                raise StoreAnswerInvalid("OpenSearch closed the connection in the middle of its answer; try again")
            self.complete = True
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            # What follows a whole answer belongs to nobody; the connection is not used again.
            if not self.complete:
                raise StoreAnswerInvalid(
                    f"the server's answer is no HTTP ({exc}); check that the store's address leads to an OpenSearch"
                ) from exc
        if self.head is None:
            self._fed += len(data)
            if self._fed > MAX_HEAD_BYTES:
                raise StoreAnswerInvalid(f"the server's answer has more than {MAX_HEAD_BYTES >> 10} KB of headers")

    @property
    def started(self) -> bool:
        """Whether anything has come yet."""
        return self._fed > 0 or self.head is not None

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.complete and self.keep_alive and not self._surplus

    def take(self) -> bytes:
        """The body's bytes that came since the last call."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        return data

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """A message starts; a second final one was not asked for."""
        self._surplus = self.complete
        self._reason = b""
        self._headers = []

    def on_status(self, reason: bytes) -> None:
        """The status line's words."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
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
        """A part of the body."""
        if not (self._headless or self._surplus):
            self.pieces.append(body)

    def on_message_complete(self) -> None:
        """The message is whole."""
        if self.head is not None:
            self.complete = True

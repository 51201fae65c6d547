"""gunicorn's threaded worker, with our error body for what never becomes a request."""

from __future__ import annotations

import json
import logging
import select
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from rerank.service.errors import error_body

LINGER_MS = 5
"""How long a thread stays with its client after an answer."""

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Serves requests in threads; a request that cannot be parsed is answered in JSON, like every other refusal.

    A thread whose client sends its next request at once takes it too: handing a connection to the main loop and back
    costs as much as a whole forwarded request.
    """

    def handle(self, conn: Any) -> Any:
        """Serve the connection's request, and those that follow it closely."""
        goes_on = super().handle(conn)
        while goes_on is True and self._follows(conn):
            goes_on = super().handle(conn)
        return goes_on

    def _follows(self, conn: Any) -> bool:
        """Whether another request comes within some milliseconds, in which nobody else needs this thread."""
        if conn.is_http2 or conn.parser.unreader.buf.getvalue():
            return False
        readable = select.poll()
        readable.register(conn.sock, select.POLLIN)
        for _ in range(LINGER_MS):
            if not self.alive or self.tpool._work_queue.qsize():
                return False
            if readable.poll(1):
                return True
        return False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a broken request on the bare socket, or leave what is not the client's fault to gunicorn."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = _status(exc)
        message = f"this is no HTTP request that can be read: {exc}"
        body = json.dumps(error_body(message, "Validation")).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _log.warning("unreadable request: %s", exc)
        try:
            client.sendall(head.encode() + body)
        except OSError as gone:
            _log.debug("the client left before its error: %s", gone)


def _status(exc: ParseException) -> HTTPStatus:
    if isinstance(exc, LimitRequestLine):
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if isinstance(exc, LimitRequestHeaders):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return HTTPStatus.BAD_REQUEST

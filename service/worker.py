"""gunicorn worker with threads that responds to malformed requests with the service's JSON error body.

gunicorn documents none of the attributes that this module uses, so setup.cfg caps its version, and
tests/service/test_gunicorn_api.py checks the installed version.
"""

from __future__ import annotations

import json
import logging
import select
import signal
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from rerank.service.errors import error_body

LINGER_MS = 5
"""Milliseconds that a thread waits for the next request of its client after a response."""

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """Worker whose threads also serve the next request of a client if it arrives within LINGER_MS.

    Returning a connection to the main loop and fetching it again costs as much as forwarding a request.
    """

    def init_signals(self) -> None:
        """Ignores SIGHUP, which would end the process, until the application handles it."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle(self, conn: Any) -> Any:
        """Serves the request of the connection and the requests that closely follow it."""
        keep_alive = super().handle(conn)
        while keep_alive is True and self._next_request_arrives(conn):
            keep_alive = super().handle(conn)
        return keep_alive

    def _next_request_arrives(self, conn: Any) -> bool:
        """Waits up to LINGER_MS for the next request, and only while no other client waits for a thread."""
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
        """Sends an error response for a malformed request. gunicorn handles all other errors."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = _status(exc)
        body = json.dumps(error_body(f"the request must be valid HTTP/1.1: {exc}", "Validation")).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _log.warning("malformed request: %s", exc)
        try:
            client.sendall(head.encode() + body)
        except OSError as send_error:
            _log.debug("client disconnected before its error response: %s", send_error)


def _status(exc: ParseException) -> HTTPStatus:
    if isinstance(exc, LimitRequestLine):
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if isinstance(exc, LimitRequestHeaders):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return HTTPStatus.BAD_REQUEST

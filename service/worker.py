"""gunicorn's threaded worker, with our error body for what never becomes a request."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from service.errors import error_body

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Serves requests in threads; a request that cannot be parsed is answered in JSON, like every other refusal."""

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

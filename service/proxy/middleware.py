"""The proxy: WSGI before the application, so that what is not ours costs no more than passing it on."""

from __future__ import annotations

import errno
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from rerank.core.errors import RequestCancelled, RerankError
from rerank.service.auth import Keys
from rerank.service.errors import HttpError, error_response
from rerank.service.proxy.connection import ClientGone
from rerank.service.proxy.headers import of_answer
from rerank.service.proxy.request import SMALL_BYTES, ClientRequest
from rerank.service.proxy.search.searches import Searches
from rerank.service.proxy.shadowed import Shadowed
from rerank.service.proxy.upstream import Answer, Upstream

_log = logging.getLogger(__name__)

ROUTE = "proxy"
CLIENT_CLOSED = 499
"""nginx's status for a client that left; it is only counted."""


@dataclass(frozen=True)
class Proxy:
    """*application* answers what is *shadowed*; everything else goes to *upstream* and comes back as it is.

    *observe* is told route, method, status and seconds of each answer of the server.
    """

    application: WSGIApplication
    upstream: Upstream
    shadowed: Shadowed
    keys: Keys
    searches: Searches
    observe: Callable[[str, str, int, float], None]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        started = time.perf_counter()
        try:
            request = ClientRequest.read(environ)
            if self.shadowed(method, request.path, environ.get("HTTP_ACCEPT", "")):
                return self.application(environ, start_response)
            status, headers, body = self._forwarded(request)
        except ClientGone:
            self._finish(environ, CLIENT_CLOSED, started)
            raise
        except RequestCancelled as exc:
            self._finish(environ, CLIENT_CLOSED, started)
            raise ClientGone(errno.ECONNRESET, exc.message) from exc
        except (RerankError, HttpError) as exc:
            status, headers, body = _refused(exc)
        self._finish(environ, int(status[:3]), started)
        start_response(status, headers)
        return body

    def _forwarded(self, request: ClientRequest) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        self.keys.check(request.environ)
        headers = self.keys.without(request.headers())
        looked = self.searches.look(request, headers)
        if looked.answer is not None:
            status, answered, body = looked.answer
            return status, answered, [body]
        answer = self.upstream.ask(looked.request.exchange(self.upstream.address, headers))
        return answer.head.status_line, [*of_answer(answer.head.headers), *looked.added], _body(answer)

    def _finish(self, environ: WSGIEnvironment, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        self.observe(ROUTE, environ["REQUEST_METHOD"], status, seconds)
        level = logging.WARNING if status in (502, 503, 504) else logging.DEBUG
        _log.log(level, "forwarded method=%s status=%d ms=%.1f", environ["REQUEST_METHOD"], status, seconds * 1000)


def _body(answer: Answer) -> Iterable[bytes]:
    """A small answer in one piece, which costs one write and is whole before its status is sent; else as it comes."""
    length = answer.head.length
    if answer.complete or (length is not None and length <= SMALL_BYTES):
        return [answer.read()]
    return _Stream(answer)


class _Stream:
    """An answer's body on its way. When the server breaks off, so does the client's connection: it must not take half
    an answer for a whole one."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer
        except RerankError as exc:
            _log.error("an answer broke off: %s", exc.message)
            raise ConnectionAbortedError(errno.ECONNRESET, exc.message) from exc

    def close(self) -> None:
        """WSGI's sign that nothing more is wanted."""
        self._answer.close()


def _refused(error: RerankError | HttpError) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
    refusal = error_response(error)
    body = json.dumps(refusal.body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *refusal.headers.items()]
    return f"{refusal.status} {HTTPStatus(refusal.status).phrase}", headers, [body]

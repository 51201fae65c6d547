"""WSGI middleware that forwards requests to OpenSearch, except those to routes of the service.

The middleware runs before Flask, so that forwarding costs no routing.
"""

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
from rerank.service.admission import ForwardingLimit
from rerank.service.auth import Keys
from rerank.service.errors import HttpError, error_response
from rerank.service.proxy.connection import ClientDisconnected
from rerank.service.proxy.headers import forwarded_response_headers
from rerank.service.proxy.own_routes import OwnRoutes
from rerank.service.proxy.request import SMALL_BODY_BYTES, ClientRequest
from rerank.service.proxy.search.search_interceptor import SearchInterceptor
from rerank.service.proxy.upstream import Upstream, UpstreamResponse

_log = logging.getLogger(__name__)

METRICS_ROUTE = "proxy"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that disconnected. It appears in metrics and logs only."""


@dataclass(frozen=True)
class Proxy:
    """Middleware that gives `own_routes` to *application* and forwards all other requests to *upstream*.

    *observe* receives the route, method, status and seconds of each forwarded request.
    """

    application: WSGIApplication
    upstream: Upstream
    own_routes: OwnRoutes
    keys: Keys
    interceptor: SearchInterceptor
    limit: ForwardingLimit
    observe: Callable[[str, str, int, float], None]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handles one request."""
        method = environ["REQUEST_METHOD"]
        started = time.perf_counter()
        try:
            request = ClientRequest.from_environ(environ)
            if self.own_routes.matches(method, request.path, environ.get("HTTP_ACCEPT", "")):
                return self.application(environ, start_response)
            with self.limit.slot():
                status, headers, body = self._forward(request)
        except ClientDisconnected:
            self._record(environ, CLIENT_CLOSED_REQUEST, started)
            raise
        except RequestCancelled as exc:
            self._record(environ, CLIENT_CLOSED_REQUEST, started)
            raise ClientDisconnected(errno.ECONNRESET, exc.message) from exc
        except (RerankError, HttpError) as exc:
            status, headers, body = _encode_error(exc)
        self._record(environ, int(status[:3]), started)
        start_response(status, headers)
        return body

    def close(self) -> None:
        """Closes the connections to the server and stops shadow mode."""
        # The pool closes first, which interrupts a shadow search that waits for the server.
        self.upstream.close()
        self.interceptor.close()

    def _forward(self, request: ClientRequest) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        self.keys.check(request.environ)
        self.keys.check_target(request.target)
        headers = self.keys.without_keys(request.headers())
        decision = self.interceptor.intercept(request, headers)
        if decision.response is not None:
            status, sent, body = decision.response
            return status, sent, [body]
        response = self.upstream.send(decision.request.outgoing(self.upstream.address, headers))
        sent = [*forwarded_response_headers(response.head.headers), *decision.added_headers]
        return response.head.status_line, sent, _body(response)

    def _record(self, environ: WSGIEnvironment, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        self.observe(METRICS_ROUTE, environ["REQUEST_METHOD"], status, seconds)
        level = logging.WARNING if status in (502, 503, 504) else logging.DEBUG
        _log.log(level, "forwarded method=%s status=%d ms=%.1f", environ["REQUEST_METHOD"], status, seconds * 1000)


def _body(response: UpstreamResponse) -> Iterable[bytes]:
    """Returns a small body as one piece, read before the status is sent, and streams a large one."""
    length = response.head.length
    if response.complete or (length is not None and length <= SMALL_BODY_BYTES):
        return [response.read()]
    return _StreamedBody(response)


class _StreamedBody:
    """Body of a response that the server still sends.

    If the server's response ends too early, the proxy closes the client's connection, so that the client notices.
    """

    def __init__(self, response: UpstreamResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response
        except RerankError as exc:
            _log.error("incomplete response: %s", exc.message)
            raise ConnectionAbortedError(errno.ECONNRESET, exc.message) from exc

    def close(self) -> None:
        """Releases the connection. The WSGI server calls this method after the last piece."""
        self._response.close()


def _encode_error(error: RerankError | HttpError) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
    response = error_response(error)
    body = json.dumps(response.body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *response.headers.items()]
    return f"{response.status} {HTTPStatus(response.status).phrase}", headers, [body]

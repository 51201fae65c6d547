"""Limits on the number of requests that a worker computes or forwards at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Request, current_app, g, request

from rerank.core.errors import RequestCancelled
from rerank.service.client_connection import client_connection
from rerank.service.errors import RETRY_AFTER_SECONDS, HttpError

SPARE_REQUESTS = 8
"""Requests beyond the setting `threads`, so that overload responses do not wait for other requests."""

MAX_WAIT_SECONDS = 60.0
"""Seconds after which a request that still waits for its turn gets status 503."""

_UNLIMITED = frozenset(
    {"probes.health", "probes.ready", "weaviate_probes.live", "weaviate_probes.ready", "metrics.exposition"}
)
_EXTENSION = "rerank.admission"


class Admission:
    """Limit on the number of requests that compute at once. The others wait in the order of arrival."""

    def __init__(self, limit: int, *, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._slots = threading.BoundedSemaphore(limit)
        self._max_wait_seconds = max_wait_seconds

    def enter(self) -> None:
        """Waits for the turn of the current request, which holds it until its response is complete.

        Raises HttpError 503 after the longest wait, and RequestCancelled if the client has disconnected meanwhile.
        """
        if request.endpoint in _UNLIMITED or "admitted" in g:
            return
        if not self._slots.acquire(blocking=False):
            self._wait(request)
        g.admitted = True

    def _wait(self, waiting: Request) -> None:
        if not self._slots.acquire(timeout=self._max_wait_seconds):
            raise overloaded("the service is overloaded. Retry later, or start more workers")
        client = client_connection(waiting)
        if client is not None and client.cancelled():
            self._slots.release()
            raise RequestCancelled("the client disconnected while its request waited for other requests")

    def leave(self) -> None:
        """Ends the turn of the current request, if it has one."""
        if g.pop("admitted", False):
            self._slots.release()


def register(app: Flask, limit: int) -> None:
    """Limits the requests that *app* computes at once.

    A request with a body waits for its turn when its body is complete, see admit(), so that slow clients hold no turn.
    """
    admission = Admission(limit)
    app.extensions[_EXTENSION] = admission

    @app.before_request
    def enter() -> None:
        if not request.content_length and "HTTP_TRANSFER_ENCODING" not in request.environ:
            admission.enter()

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        admission.leave()


def admit() -> None:
    """Waits for the turn of the current request, whose body has arrived. See Admission.enter for errors."""
    admission: Admission | None = current_app.extensions.get(_EXTENSION)
    if admission is not None:
        admission.enter()


class ForwardingLimit:
    """Limit on the number of requests that wait for OpenSearch at once. Further requests are refused at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots = threading.BoundedSemaphore(limit)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds a slot inside the block. Raises HttpError 503 if no slot is free."""
        if not self._slots.acquire(blocking=False):
            raise overloaded(f"{self._limit} forwarded requests already wait for OpenSearch. Retry later")
        try:
            yield
        finally:
            self._slots.release()


def overloaded(message: str) -> HttpError:
    """Returns the error for a request that the service has no capacity for."""
    return HttpError(503, message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})

"""gunicorn worker that waits for slow clients without threads, and limits how long a request waits for its client.

The main loop receives request heads. A request gets a thread once its head is complete. The thread reads the body and
sends the response within deadlines. gunicorn's own worker waits for heads in its threads, and closes connections in its
main loop, so a few slow clients stop it.

gunicorn documents none of the attributes that this module uses, so setup.cfg caps its version, and
tests/service/test_gunicorn_api.py checks the installed version.
"""

from __future__ import annotations

import errno
import logging
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from rerank.service.connections.client_socket import RequestTimeout, TlsClientSocket
from rerank.service.connections.connection import Connection
from rerank.service.connections.refusal import refusal, refusal_message, refusal_status
from rerank.service.connections.waiting import WaitingConnections
from rerank.service.server import RESERVED_CONNECTIONS

LINGER_MS = 5
"""Milliseconds that a thread waits for the next request of its client after a response."""

CLOSE_SECONDS = 2.0
"""Seconds in which a client can read its response after the service has closed its sending side (RFC 9112, 9.6)."""

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """Worker with one thread per active request, and no thread for a connection that waits for a request."""

    worker_connections: int
    sockets: list[Any]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._max_active = self.worker_connections - RESERVED_CONNECTIONS
        self._active = 0
        self._waiting = WaitingConnections()
        self._tls: ssl.SSLContext | None = None
        # accept() makes room for a new connection, so gunicorn must not stop accepting at the limit.
        self._max_connections, self.worker_connections = self.worker_connections, self.worker_connections + 1
        self.max_keepalived = sys.maxsize

    def init_signals(self) -> None:
        """Ignores SIGHUP, which would end the process, until the application handles it."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Returns a pool that starts a thread only if all others are busy."""
        return ThreadPoolExecutor(self._max_connections, thread_name_prefix="request")

    def init_process(self) -> None:
        """Prepares TLS and runs the worker."""
        if self.cfg.is_ssl:
            self._tls = ssl_context(self.cfg)
            self._tls.sslsocket_class = TlsClientSocket
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Accepts a connection and waits for its first request in the main loop."""
        try:
            accepted, client = listener.accept()
        except OSError as exc:
            if exc.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            elif exc.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        if self.nr_conns >= self._max_connections:
            self._make_room()
        try:
            connection = Connection(self.cfg, accepted, client, listener.getsockname(), self._tls)
        except OSError as exc:
            _log.debug("client disconnected before its request: %s", exc)
            accepted.close()
            return
        self.nr_conns += 1
        if connection.encrypted:
            self._submit(self._handshake, connection)
        else:
            self._await_head(connection, self._client_seconds)

    @property
    def _client_seconds(self) -> float:
        seconds: float = self.app.client_timeout_s
        return seconds

    def _make_room(self) -> None:
        """Closes the connection that has waited longest for a request."""
        oldest = self._waiting.oldest()
        if oldest is not None:
            self._forget(oldest)
            self._close_now(oldest)

    def _await_head(self, connection: Connection, seconds: float) -> None:
        self._waiting.add(self.poller, connection, seconds, self._on_readable, self._head_expired)

    def _forget(self, connection: Connection) -> None:
        self._waiting.remove(self.poller, connection)

    def _on_readable(self, connection: Connection, _: Any) -> None:
        idle = not connection.head
        connection.receive()
        if connection.head_complete:
            self._forget(connection)
            self._start_request(connection)
        elif connection.ended:
            self._forget(connection)
            self._close_now(connection)
        elif idle:
            # The deadline of the head starts at its first byte.
            connection.deadline = min(connection.deadline, time.monotonic() + self._client_seconds)

    def _start_request(self, connection: Connection) -> None:
        full = self._active >= self._max_active
        if full and not (connection.is_probe and self._active < self._max_connections):
            self._refuse(
                connection,
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the service handles at most {self._max_active} requests at once per worker. "
                "Retry later, or raise max_connections.",
            )
            return
        self._submit(self.handle, connection)

    def _submit(self, function: Callable[[Connection], bool], connection: Connection) -> None:
        self._active += 1
        try:
            self.tpool.submit(self._run_in_thread, function, connection)
        except RuntimeError as exc:
            # The request is already in the queue of the pool, and waits for one of its threads.
            _log.warning("cannot start another thread: %s", exc)

    def _run_in_thread(self, function: Callable[[Connection], bool], connection: Connection) -> None:
        keep_open = False
        try:
            keep_open = function(connection)
        except Exception:  # noqa: BLE001 - an error of one connection must not end the worker
            _log.exception("closed a connection after an unexpected error")
        finally:
            self.method_queue.defer(self.finish_request, connection, keep_open)

    def _head_expired(self, connection: Connection) -> None:
        if connection.head:
            self._refuse(connection, HTTPStatus.REQUEST_TIMEOUT, str(RequestTimeout()))
        else:
            self._close_now(connection)

    def _refuse(self, connection: Connection, status: HTTPStatus, message: str) -> None:
        with suppress(OSError):
            connection.sock.send(refusal(status, message))
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        """Closes the sending side, and the connection once the client has closed it or CLOSE_SECONDS have passed."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close_now(connection)
            return
        self._waiting.add(self.poller, connection, CLOSE_SECONDS, self._discard, self._close_now)

    def _discard(self, connection: Connection, _: Any) -> None:
        connection.head.clear()
        connection.receive()
        if connection.ended:
            self._forget(connection)
            self._close_now(connection)

    def _close_now(self, connection: Connection) -> None:
        self.nr_conns -= 1
        connection.close()

    def murder_pending(self) -> None:
        """Ends the connections whose deadline has passed. gunicorn calls this method at least once a second."""
        for connection, on_deadline in self._waiting.expired():
            self._forget(connection)
            on_deadline(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Shortens the wait of connections without a request, when the worker stops."""
        self._waiting.shorten(deadline)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stops listening when the worker stops, after it has accepted the connections of the backlog."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                self._accept_backlog(listener)
                listener.close()
            self.sockets = []

    def _accept_backlog(self, listener: Any) -> None:
        readable = select.poll()
        readable.register(listener, select.POLLIN)
        while readable.poll(0):
            self.accept(listener)

    def finish_request(self, connection: Connection, keep_open: bool) -> None:
        """Waits for the next request of the connection, or closes it. Runs in the main loop."""
        self._active -= 1
        if not keep_open:
            self._close(connection)
            return
        if connection.encrypted:
            connection.receive()
        if connection.head_complete:
            self._start_request(connection)
        elif connection.ended:
            self._close_now(connection)
        else:
            self._await_head(connection, self._idle_seconds(connection))

    def _idle_seconds(self, connection: Connection) -> float:
        if connection.head or not connection.initialized:
            return self._client_seconds
        return float(self.cfg.keepalive) if self.alive else STOP_KEEPALIVE_LINGER

    def _handshake(self, connection: Connection) -> bool:
        """Completes the TLS handshake in a thread. Returns False if it fails."""
        connection.sock.begin_request(self._client_seconds)
        try:
            connection.sock.handshake()
        except (OSError, ParseException) as exc:
            _log.debug("TLS handshake failed: %s", exc)
            return False
        return True

    def handle(self, connection: Connection) -> bool:
        """Serves the request of the connection and the requests that closely follow it. Runs in a thread.

        Returning a connection to the main loop and fetching it again costs as much as forwarding a request.
        """
        while True:
            connection.begin_request(self._client_seconds)
            if super().handle(connection) is not True:
                return False
            connection.end_request()
            if not self._next_request_arrives(connection):
                return True

    def _next_request_arrives(self, connection: Connection) -> bool:
        """Waits up to LINGER_MS for the head of the next request, unless the worker stops or is full."""
        if connection.head or connection.encrypted:
            return False
        readable = select.poll()
        readable.register(connection.sock, select.POLLIN)
        for _ in range(LINGER_MS):
            if not self.alive or self._active >= self._max_active:
                return False
            if readable.poll(1):
                connection.receive()
                return connection.head_complete
        return False

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except RequestTimeout:
            # The response has been sent, so a status would arrive as a second response.
            return False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Sends an error response for a malformed or late request. gunicorn handles all other errors."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        _log.warning("refused request: %s", exc)
        try:
            client.sendall(refusal(refusal_status(exc), refusal_message(exc)))
        except OSError as send_error:
            _log.debug("client disconnected before its error response: %s", send_error)

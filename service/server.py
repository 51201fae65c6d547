"""HTTP server: gunicorn with threaded workers.

The parent process listens and restarts workers. Each worker builds its components after the fork, because threads of
the models and of LanceDB do not survive a fork.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from rerank.core.errors import SettingError
from rerank.core.redaction import redact_logs
from rerank.core.settings import Settings
from rerank.service.components import MODEL_SETTINGS, Components, build
from rerank.service.multiprocess_metrics import is_multiprocess, multiprocess_metrics
from rerank.service.tls import check_certificate

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 30
"""Seconds that requests in progress may take after SIGTERM."""

HEARTBEAT_SECONDS = 120
"""Seconds after which gunicorn replaces a worker whose main loop is stuck. Importing the models takes seconds."""

KEEP_ALIVE_SECONDS = 75
"""Seconds until an idle connection is closed, as in nginx. Clients of search servers pool their connections, and some
report a closed one as an error. An idle connection occupies no thread."""

BACKLOG = 512

RESERVED_CONNECTIONS = 64
"""Connections beyond max_connections, on which probes are served and other requests are refused."""

SEND_BUFFER_BYTES = 256 * 1024
"""Size of a connection's send buffer. The default grows to 4 MB for each client that does not read its response."""

LOADER_SECONDS = 1.0
"""Seconds that an exiting worker waits for its loader, which stops before the next component."""

_SHARED_MEMORY = Path("/dev/shm")


def serve(
    settings: Settings,
    *,
    workers: int = 1,
    insecure: bool = False,
    on_ready: Callable[[str], None] | None = None,
    components: Callable[[Settings], Components] = build,
    read_settings: Callable[[], Settings] | None = None,
) -> int:
    """Serves requests until SIGTERM or SIGINT, and returns the exit code. SIGHUP reloads the settings.

    *read_settings* reads the settings again for a reload; None: a reload keeps them and reloads only the models.

    *on_ready* receives the URL once the server accepts connections; by default it is written to stderr. The models
    may still be loading at that time, see /ready. The calling process must not have run models or opened a store.
    Raises SettingError if the server cannot listen on the address, and if other machines can reach it without an API
    key, unless *insecure* is set.
    """
    check_exposure(settings, insecure=insecure)
    check_certificate(settings)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    redact_logs()
    with ExitStack() as stack:
        listener = listen(settings.host, settings.port)
        url = url_of(listener, scheme="https" if settings.tls_certificate else "http")
        if workers > 1:
            stack.enter_context(multiprocess_metrics())
        server = _Server(
            components,
            settings,
            read_settings,
            gunicorn_options(settings, listener, workers=workers),
            client_timeout_s=settings.client_timeout_s,
            when_listening=lambda: (on_ready or _announce)(url),
        )
        try:
            server.run()
        except SystemExit as exc:
            return exc.code if isinstance(exc.code, int) else 1
    return 0


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Raises SettingError if other machines can reach the service without an API key, unless *insecure* is set."""
    if insecure or settings.api_keys or _is_loopback(settings.host):
        return
    raise SettingError(
        f"host must be a loopback address if api_keys is empty, got {settings.host}. "
        "Set RERANK_API_KEYS, listen on 127.0.0.1, or pass --insecure."
    )


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Raises SettingError if the address is unknown or in use."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise SettingError(f"host must be an address of this machine, got {host} ({exc}). Set another host.") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit the size.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        reason = exc.strerror or str(exc)
        raise SettingError(
            f"cannot listen on {host}, port {port}: {reason}. Set another host or port. Port 0 selects a free port."
        ) from exc
    return listener


def url_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """Returns the URL of the service on *listener*."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def gunicorn_options(settings: Settings, listener: socket.socket, *, workers: int) -> dict[str, object]:
    """Returns gunicorn's settings, which take over *listener*."""
    return {
        "bind": f"fd://{listener.detach()}",
        "workers": workers,
        "worker_connections": settings.max_connections + RESERVED_CONNECTIONS,
        "worker_class": "rerank.service.worker.Worker",
        "worker_tmp_dir": str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None,
        "timeout": HEARTBEAT_SECONDS,
        "graceful_timeout": DRAIN_SECONDS,
        "keepalive": KEEP_ALIVE_SECONDS,
        # It requires a blocking socket.
        "sendfile": False,
        "certfile": settings.tls_certificate or None,
        "keyfile": settings.tls_key or None,
        # Clients can forge X-Forwarded-Proto and SCRIPT_NAME, so gunicorn's variables must not enable them.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "limit_request_line": 8190,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "control_socket_disable": True,
        "proc_name": "rerank",
        "loglevel": "warning",
    }


class _Parent(Arbiter):  # type: ignore[misc]  # gunicorn has no type hints
    """Parent process that passes SIGHUP to its workers.

    gunicorn would replace the workers, and the new ones could not rank until they have loaded their models.
    """

    def reload(self) -> None:
        """Asks every worker to reload its settings."""
        self.app.reread_settings()
        self.kill_workers(signal.SIGHUP)


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """gunicorn application that builds the components in each worker. The worker reads `client_timeout_s`."""

    def __init__(
        self,
        components: Callable[[Settings], Components],
        settings: Settings,
        read_settings: Callable[[], Settings] | None,
        options: Mapping[str, object],
        *,
        client_timeout_s: float,
        when_listening: Callable[[], None],
    ) -> None:
        self.client_timeout_s = client_timeout_s
        self._build = components
        self._settings = settings
        self._read_settings = read_settings
        self._options = options
        self._when_listening = when_listening
        self._components: Components | None = None
        self._loader: threading.Thread | None = None
        self._stop = threading.Event()
        super().__init__()

    def run(self) -> None:
        """Runs the parent process."""
        try:
            _Parent(self).run()
        except RuntimeError as exc:
            raise SettingError(f"the server cannot start: {exc}") from exc

    def load_config(self) -> None:
        """Sets gunicorn's settings and hooks."""
        for name, value in self._options.items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", self._listening)
        self.cfg.set("post_worker_init", self._start_loading)
        self.cfg.set("worker_exit", self._close)
        self.cfg.set("child_exit", _forget_worker)

    def load(self) -> Flask:
        """Returns the application of this worker."""
        from rerank.service.app import create_app

        self._components = self._build(self._settings)
        self._components.reloader.read = self._read_settings
        if self.cfg.workers > 1:
            self._components.reloader.on_reloaded = _reload_all_workers
        return create_app(self._components)

    def reread_settings(self) -> None:
        """Applies changed settings to the workers that the parent process starts from now on."""
        if self._read_settings is None:
            return
        try:
            current = self._read_settings()
        except SettingError:
            return  # The workers log the error and keep their settings.
        changes = {name: getattr(current, name) for name in (*MODEL_SETTINGS, "api_keys")}
        self._settings = self._settings.model_copy(update=changes)

    def _listening(self, _: Any) -> None:
        self._when_listening()

    def _start_loading(self, _: Any) -> None:
        if self._components is not None:
            reload = self._components.reloader.reload_or_log
            signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload, name="reload", daemon=True).start())
            # A daemon: a model conversion cannot be interrupted, and must not delay the exit.
            self._loader = threading.Thread(
                target=self._components.load_until_complete, args=(self._stop,), name="loader", daemon=True
            )
            self._loader.start()

    def _close(self, _: Any, __: Any) -> None:
        self._stop.set()
        if self._components is not None:
            self._components.close()
        if self._loader is not None:
            self._loader.join(LOADER_SECONDS)
            if self._loader.is_alive():
                # Native code of a model library crashes if it runs while the interpreter shuts down.
                os._exit(0)


def _reload_all_workers() -> None:
    os.kill(os.getppid(), signal.SIGHUP)


def _forget_worker(_: Any, worker: Any) -> None:
    """Removes the gauges of a worker that has exited. Its counters stay."""
    if is_multiprocess():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _announce(url: str) -> None:
    sys.stderr.write(f"listening on {url}\n")
    sys.stderr.flush()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

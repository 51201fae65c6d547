"""Serving: gunicorn with threads, in this process and its workers.

The parent only listens and keeps the workers alive. Each worker builds its own components after the fork: neither
the models' threads nor LanceDB's survive one.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from rerank.core.errors import SettingError
from rerank.core.settings import Settings
from rerank.service.components import Components, build
from rerank.service.multiprocess_metrics import is_multiprocess, multiprocess_metrics

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 30
"""How long requests in flight may take after SIGTERM."""

HEARTBEAT_SECONDS = 120
"""A worker that does not get to its main loop for so long is replaced; importing the models holds it for seconds."""

KEEP_SECONDS = 75
"""How long an idle connection is kept, as by nginx: clients of a search server pool theirs, and some take one that was
closed under them for an error. It holds no thread."""

BACKLOG = 512

SPARE_THREADS = 8
"""Beside those that requests may hold: a refusal and a probe must not wait behind what they are refused for."""

_SHARED_MEMORY = Path("/dev/shm")


def serve(
    settings: Settings,
    *,
    workers: int = 1,
    insecure: bool = False,
    on_ready: Callable[[str], None] | None = None,
    components: Callable[[Settings], Components] = build,
) -> int:
    """Listen, and answer until SIGTERM or SIGINT; returns the exit code.

    *on_ready* is told the address once connections are accepted: port 0 has become a real one. By default it is
    written to stderr. The models may still be loading then; /ready says when they are there. The calling process
    must not have run models or opened a store before. Raises SettingError for an address that cannot be listened on,
    and for one that others can reach while no API keys are set, unless *insecure*.
    """
    check_exposure(settings, insecure=insecure)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with ExitStack() as stack:
        listener = listen(settings.host, settings.port)
        url = address_of(listener)
        if workers > 1:
            stack.enter_context(multiprocess_metrics())
        server = _Server(
            lambda: components(settings),
            options(settings, listener, workers=workers),
            when_listening=lambda: (on_ready or _announce)(url),
        )
        try:
            server.run()
        except SystemExit as exc:
            return exc.code if isinstance(exc.code, int) else 1
    return 0


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Raise SettingError when others could reach the service and nothing would ask them for a key."""
    if insecure or settings.api_keys or _is_loopback(settings.host):
        return
    raise SettingError(
        f"host {settings.host} can be reached from other machines, and no api_keys are set: "
        "set RERANK_API_KEYS, listen on 127.0.0.1, or say --insecure"
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingError, naming the way out, when there can be none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise SettingError(f"host {host} is no address of this machine ({exc}); set another host") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        reason = exc.strerror or str(exc)
        raise SettingError(
            f"cannot listen on {host}, port {port}: {reason}; set another port (0 takes a free one) or host"
        ) from exc
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL that *listener* answers at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def options(settings: Settings, listener: socket.socket, *, workers: int) -> dict[str, object]:
    """gunicorn's settings; it takes *listener* over."""
    return {
        "bind": f"fd://{listener.detach()}",
        "workers": workers,
        "threads": settings.threads + SPARE_THREADS,
        "worker_class": "rerank.service.worker.Worker",
        "worker_tmp_dir": str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None,
        "timeout": HEARTBEAT_SECONDS,
        "graceful_timeout": DRAIN_SECONDS,
        "keepalive": KEEP_SECONDS,
        "limit_request_line": 8190,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "control_socket_disable": True,
        "proc_name": "rerank",
        "loglevel": "warning",
    }


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types
    def __init__(
        self,
        components: Callable[[], Components],
        options: Mapping[str, object],
        *,
        when_listening: Callable[[], None],
    ) -> None:
        self._build = components
        self._options = options
        self._when_listening = when_listening
        self._components: Components | None = None
        self._stop = threading.Event()
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", self._listening)
        self.cfg.set("post_worker_init", self._start_loading)
        self.cfg.set("worker_exit", self._close)
        self.cfg.set("child_exit", _forget_worker)

    def load(self) -> Flask:
        """The application, made in the worker."""
        from rerank.service.app import create_app

        self._components = self._build()
        return create_app(self._components)

    def _listening(self, _: Any) -> None:
        self._when_listening()

    def _start_loading(self, _: Any) -> None:
        if self._components is not None:
            loader = threading.Thread(
                target=self._components.load_until_complete, args=(self._stop,), name="loader", daemon=True
            )
            loader.start()

    def _close(self, _: Any, __: Any) -> None:
        self._stop.set()
        if self._components is not None:
            self._components.close()


def _forget_worker(_: Any, worker: Any) -> None:
    """Drop the gauges of a worker that is gone; its counts stay."""
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

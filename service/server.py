"""gunicorn around the application: one master, workers of many threads.

Models and the embedded store are loaded in the worker, after the fork, beside the requests: neither survives a fork.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from core.errors import SettingError
from core.settings import Settings

DRAIN_SECONDS = 30
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"

AnnounceAddress = Callable[[str], None]

_log = logging.getLogger(__name__)


def serve(
    settings: Settings, *, workers: int = 1, insecure: bool = False, on_ready: AnnounceAddress | None = None
) -> int:
    """Serve until SIGTERM or SIGINT, which let running requests end; returns the exit code.

    *on_ready* is called with the address when the service listens; by default it is written to stderr. Raises
    SettingError for a host beyond loopback without keys (unless *insecure*), and for a port that is taken.
    """
    check_exposure(settings, insecure=insecure)
    _check_free(settings)
    with tempfile.TemporaryDirectory(prefix="rerank-metrics-") as counters:
        if workers > 1:
            # Before prometheus_client is imported, which reads it once.
            os.environ[MULTIPROCESS_DIR] = counters
        application = _Application(settings, workers, on_ready or _announce)
        try:
            Arbiter(application).run()
        except SystemExit as exc:
            return exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
        finally:
            os.environ.pop(MULTIPROCESS_DIR, None)
    return 0


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Raise SettingError when everyone on the network could ask without a key."""
    if insecure or settings.api_keys or _is_loopback(settings.host):
        return
    raise SettingError(
        f"host {settings.host} lets other machines in, and no key is asked of them: set api_keys, "
        "or say --insecure where something else keeps strangers out"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            raise SettingError(
                f"cannot listen on {settings.host}:{settings.port} ({exc.strerror}); choose another host or port"
            ) from exc


def _announce(address: str) -> None:
    sys.stderr.write(f"listening on {address}\n")
    sys.stderr.flush()


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: Settings, workers: int, on_ready: AnnounceAddress) -> None:
        self._settings = settings
        self._workers = workers
        self._on_ready = on_ready
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        options: dict[str, Any] = {
            "bind": f"{host}:{self._settings.port}",
            "workers": self._workers,
            "threads": self._settings.threads,
            "worker_class": "gthread",
            "worker_connections": 1000,
            "graceful_timeout": DRAIN_SECONDS,
            "timeout": 60,
            "keepalive": 75,
            "loglevel": "warning",
            "proc_name": "rerank",
            "when_ready": self._when_ready,
            "child_exit": _forget_worker,
        }
        if "control_socket_disable" in self.cfg.settings:
            options["control_socket_disable"] = True
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker."""
        from service.app import create_app
        from service.components import build

        components = build(self._settings)
        app = create_app(components)
        threading.Thread(target=components.keep_loading, args=(threading.Event(),), name="loading", daemon=True).start()
        return app

    def _when_ready(self, arbiter: Any) -> None:
        host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
        self._on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


def _forget_worker(_: Any, worker: Any) -> None:
    """What a worker that is gone counted stays counted; what it only gauged does not."""
    if MULTIPROCESS_DIR in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

"""Undocumented parts of gunicorn and of the standard library that service/worker.py and service/server.py use.

If a test fails after an upgrade, check these modules before the cap of gunicorn's version in setup.cfg is raised.
"""

from __future__ import annotations

import inspect
import socket
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import default_environ
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import TConn, ThreadWorker

from rerank.core.settings import Settings
from rerank.service.server import gunicorn_options, listen


@pytest.mark.parametrize(
    ("method", "parameters"),
    [("handle", ["self", "conn"]), ("handle_error", ["self", "req", "client", "addr", "exc"])],
)
def test_overridden_worker_methods_have_known_parameters(method: str, parameters: list[str]) -> None:
    """The worker overrides `ThreadWorker.handle` and `ThreadWorker.handle_error`."""
    assert list(inspect.signature(getattr(ThreadWorker, method)).parameters) == parameters


def test_worker_has_its_state() -> None:
    """The worker reads `alive`, which `Worker.__init__` sets."""
    assert "self.alive = True" in inspect.getsource(Worker.__init__)


def test_worker_pool_is_a_thread_pool_with_a_work_queue() -> None:
    """The worker reads `tpool._work_queue.qsize()`, which is private in concurrent.futures too."""
    assert "self.tpool = self.get_thread_pool()" in inspect.getsource(ThreadWorker.init_process)
    assert "futures.ThreadPoolExecutor" in inspect.getsource(ThreadWorker.get_thread_pool)
    with ThreadPoolExecutor(1) as pool:
        assert pool._work_queue.qsize() == 0


def test_connection_has_its_attributes() -> None:
    """The worker reads `conn.sock`, `conn.is_http2` and `conn.parser.unreader.buf`."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection: Any = TConn(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
        connection.init()
        assert (connection.sock, connection.is_http2) == (ours, False)
        assert isinstance(connection.parser, RequestParser)
        assert isinstance(connection.parser.unreader.buf, BytesIO)


def test_parse_errors_share_a_base_class() -> None:
    """The worker maps these errors to the status codes 414, 431 and 400."""
    assert issubclass(LimitRequestLine, ParseException)
    assert issubclass(LimitRequestHeaders, ParseException)


def test_environ_has_the_client_socket_and_the_raw_target() -> None:
    """The proxy reads `gunicorn.socket` and `RAW_URI`."""
    source = inspect.getsource(default_environ)
    assert '"gunicorn.socket"' in source
    assert '"RAW_URI"' in source


@pytest.mark.parametrize("hook", ["when_ready", "post_worker_init", "worker_exit", "child_exit"])
def test_application_sets_known_hooks(hook: str) -> None:
    """`BaseApplication.cfg` accepts the hooks of service/server.py."""
    assert hook in Config().settings


def test_application_sets_known_options() -> None:
    """`BaseApplication.cfg` accepts every option of service/server.py."""
    options = gunicorn_options(Settings(), listen("127.0.0.1", 0), workers=1)
    socket.socket(fileno=int(str(options["bind"]).removeprefix("fd://"))).close()
    assert set(options) - set(Config().settings) == set()


@pytest.mark.parametrize("method", ["load_config", "load", "run"])
def test_application_has_method(method: str) -> None:
    """service/server.py overrides `load_config` and `load`, and calls `run`."""
    assert callable(getattr(BaseApplication, method))

"""Undocumented parts of gunicorn and of the standard library that service/worker.py and service/server.py use.

If a test fails after an upgrade, check these modules before the cap of gunicorn's version in setup.cfg is raised.
"""

from __future__ import annotations

import inspect
import socket
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http.wsgi import default_environ
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import TConn, ThreadWorker

from rerank.core.settings import Settings
from rerank.service.server import gunicorn_options, listen


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("accept", ["self", "listener"]),
        ("finish_request", ["self", "conn", "fs"]),
        ("get_thread_pool", ["self"]),
        ("handle", ["self", "conn"]),
        ("handle_error", ["self", "req", "client", "addr", "exc"]),
        ("murder_pending", ["self"]),
        ("set_accept_enabled", ["self", "enabled"]),
        ("_cap_keepalive", ["self", "deadline"]),
        ("_keepalive_after", ["self", "conn", "keepalive"]),
    ],
)
def test_overridden_worker_methods_have_known_parameters(method: str, parameters: list[str]) -> None:
    """The worker overrides these methods of `ThreadWorker`."""
    assert list(inspect.signature(getattr(ThreadWorker, method)).parameters) == parameters


def test_worker_has_its_state() -> None:
    """The worker reads and writes these attributes, which the constructors set."""
    source = inspect.getsource(Worker.__init__) + inspect.getsource(ThreadWorker.__init__)
    for name in ("alive", "app", "cfg", "sockets", "nr_conns", "worker_connections", "max_keepalived", "method_queue"):
        assert f"self.{name} = " in source


def test_worker_loop_calls_the_overridden_methods() -> None:
    """The loop calls the hooks, and accepts connections while `nr_conns` is below `worker_connections`."""
    source = inspect.getsource(ThreadWorker.run)
    assert "self.nr_conns < self.worker_connections" in source
    assert source.count("self.murder_pending()") == 2
    assert "self._cap_keepalive(" in source
    assert "self.set_accept_enabled(False)" in source


def test_worker_pool_and_poller_are_created_before_the_loop() -> None:
    """The worker submits requests to `tpool`, and registers connections with `poller`."""
    source = inspect.getsource(ThreadWorker.init_process)
    assert "self.tpool = self.get_thread_pool()" in source
    assert "self.poller = selectors.DefaultSelector()" in source


def test_connection_has_its_attributes() -> None:
    """Connections read and write these attributes, and the parser reads from `unreader`."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection: Any = TConn(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
        connection.init()
        assert (connection.sock, connection.is_http2) == (ours, False)
        assert isinstance(connection.parser, RequestParser)
        assert isinstance(connection.parser.unreader, SocketUnreader)
        assert (connection.initialized, connection.data_ready) == (True, False)
        assert (connection.parser.unreader.mxchunk, connection.parser.unreader.max_body_chunk) == (8192, 1 << 20)
        assert connection.parser.unreader.take_buffered() == b""


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

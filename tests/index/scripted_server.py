"""HTTP server with scripted responses, for errors that a real search server does not return on request."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedServer(ThreadingHTTPServer):
    """Server that sends the next of `responses` to each request, and then repeats the last one.

    together: number of requests that must arrive before the first response. `requests` and `headers` hold the bodies
    and the headers of all requests.
    """

    daemon_threads = True

    def __init__(self, responses: list[tuple[int, str, str]], together: int) -> None:
        self.responses = responses
        self.together = threading.Barrier(together)
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Handler of one connection."""

    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.together.wait(10)
        self.server.requests.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        responses = self.server.responses
        status, kind, text = responses.pop(0) if len(responses) > 1 else responses[0]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _respond  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Logs nothing."""
        return

"""A path prefix in front of all routes, for reverse proxies that forward a path such as /rerank-service unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_RAW_TARGETS = ("RAW_URI", "REQUEST_URI")


@dataclass(frozen=True)
class PathPrefix:
    """Middleware that removes *prefix* from the path of a request. Paths without the prefix are served as well."""

    application: WSGIApplication
    prefix: str

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handles one request."""
        targets = {name: environ[name] for name in _RAW_TARGETS if name in environ}
        # The raw target decides where the server provides it, because the proxy forwards the raw target.
        if all(self._has_prefix(target) for target in [environ["PATH_INFO"], *targets.values()]):
            environ.update({name: self._without_prefix(target) for name, target in targets.items()})
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self.prefix
            environ["PATH_INFO"] = self._without_prefix(environ["PATH_INFO"])
        return self.application(environ, start_response)

    def _has_prefix(self, target: str) -> bool:
        return target.startswith(self.prefix) and target[len(self.prefix) :][:1] in ("", "/", "?")

    def _without_prefix(self, target: str) -> str:
        rest = target[len(self.prefix) :]
        return rest if rest.startswith("/") else f"/{rest}"

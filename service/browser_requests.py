"""Protection of a service without API keys from web pages.

A page of another site can send requests to a service on loopback or in a private network: directly, as a form, or by
DNS rebinding, where the site's own name resolves to the service's address. With API keys, such requests have no key.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from rerank.core.settings import Settings
from rerank.service.auth import Keys
from rerank.service.cors import ANY
from rerank.service.errors import error_body, error_type_of

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class BrowserRequests:
    """Middleware that refuses requests of other sites' pages with status 403 if no API keys are set."""

    application: WSGIApplication
    keys: Keys
    settings: Settings

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handles one request."""
        reason = None if self.keys.required else self._refusal(environ)
        if reason is None:
            return self.application(environ, start_response)
        body = json.dumps(error_body(reason, error_type_of(403))).encode()
        start_response("403 Forbidden", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _refusal(self, environ: WSGIEnvironment) -> str | None:
        host = environ.get("HTTP_HOST", "")
        if host and not self._is_expected(_name(host)):
            return (
                f"the header Host must be a name of this service, got {host[:100]}. "
                "Add the name to allowed_hosts, or set api_keys."
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or environ["REQUEST_METHOD"] in _SAFE_METHODS:
            return None
        allowed = self.settings.cors_origins
        if ANY in allowed or origin in allowed or urlsplit(origin).netloc.lower() == host.lower() != "":
            return None
        return (
            f"the header Origin must be the origin of this service, got {origin[:100]}. "
            "Add the origin to cors_origins, or set api_keys."
        )

    def _is_expected(self, name: str) -> bool:
        """Returns True for addresses, for names that public DNS cannot resolve, and for names in the settings."""
        own = {self.settings.host.lower(), *(host.lower() for host in self.settings.allowed_hosts)}
        return ANY in own or name in own or "." not in name or name.endswith(".localhost") or _is_address(name)


def _name(host: str) -> str:
    """Returns the name or address of a Host header, without the port and in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

"""Keys: who may ask."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, request

from rerank.service.errors import HttpError

OPEN_ENDPOINTS = frozenset({"probes.health", "weaviate.live", "page.page", "page.docs", "openapi.openapi", "static"})
"""What anyone may see: that the process lives, and what is the same in every installation."""


class Keys:
    """The keys that let requests in; with none, everyone is."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._known = [key.encode() for key in keys]

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raise HttpError 401 for a WSGI request that carries none of the keys."""
        if not self._known:
            return
        sent = sent_key(environ)
        if sent is None:
            raise _refused("a key is needed: send it as X-API-Key, or as Authorization: Bearer")
        if not self.knows(sent):
            raise _refused("the key is not one that this service knows")

    def knows(self, sent: str) -> bool:
        """Whether *sent* is one of the keys.

        WSGI reads the bytes of a header as Latin-1, whatever they are. Every key is compared, in constant time: how
        long it takes tells nothing.
        """
        matches = [hmac.compare_digest(sent.encode("latin-1", "replace"), key) for key in self._known]
        return any(matches)

    def without(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """*headers* (names in lower case) without those that carry one of the keys: they are nobody else's."""
        if not self._known:
            return list(headers)
        return [(name, value) for name, value in headers if not self._carries_key(name, value)]

    def _carries_key(self, name: str, value: str) -> bool:
        if name == "x-api-key":
            return self.knows(value)
        credentials = _bearer(value) if name == "authorization" else None
        return credentials is not None and self.knows(credentials)


def register(app: Flask, keys: Sequence[str]) -> None:
    """Let only requests with one of *keys* in, except to OPEN_ENDPOINTS; with no keys, let everyone in."""
    known = Keys(keys)

    @app.before_request
    def check_key() -> None:
        if request.endpoint not in OPEN_ENDPOINTS:
            known.check(request.environ)


def sent_key(environ: Mapping[str, Any]) -> str | None:
    """The key that a WSGI request carries, if any."""
    key: str | None = environ.get("HTTP_X_API_KEY")
    return key if key is not None else _bearer(environ.get("HTTP_AUTHORIZATION", ""))


def _bearer(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _refused(message: str) -> HttpError:
    return HttpError(401, message, headers={"WWW-Authenticate": 'Bearer realm="rerank"'})

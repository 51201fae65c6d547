"""Keys: who may ask."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from flask import Flask, Request, request

from service.errors import HttpError

OPEN_ENDPOINTS = frozenset({"probes.health", "page.page", "page.docs", "openapi.openapi", "static"})
"""What anyone may see: that the process lives, and what is the same in every installation."""


def register(app: Flask, keys: Sequence[str]) -> None:
    """Let only requests with one of *keys* in, except to OPEN_ENDPOINTS; with no keys, let everyone in."""
    known = [key.encode() for key in keys]
    if not known:
        return

    @app.before_request
    def check_key() -> None:
        if request.endpoint in OPEN_ENDPOINTS:
            return
        sent = sent_key(request)
        if sent is None:
            raise _refused("a key is needed: send it as X-API-Key, or as Authorization: Bearer")
        # WSGI reads the bytes of a header as Latin-1, whatever they are. Every key is compared, in constant time: how
        # long it takes tells nothing.
        matches = [hmac.compare_digest(sent.encode("latin-1", "replace"), key) for key in known]
        if not any(matches):
            raise _refused("the key is not one that this service knows")


def sent_key(request: Request) -> str | None:
    """The key that *request* carries, if any."""
    key = request.headers.get("X-API-Key")
    if key is not None:
        return key
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _refused(message: str) -> HttpError:
    return HttpError(401, message, headers={"WWW-Authenticate": 'Bearer realm="rerank"'})

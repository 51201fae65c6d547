"""Authentication by API key."""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask, request

from rerank.core.errors import InvalidRequest, SettingError
from rerank.core.redaction import MIN_SECRET_CHARACTERS
from rerank.core.settings import Settings
from rerank.service.errors import HttpError
from rerank.service.reloading import Commit, ReloadablePart

OPEN_ENDPOINTS = frozenset(
    {
        "probes.health",
        "weaviate_probes.live",
        "models.cluster_auth",
        "page.page",
        "page.docs",
        "openapi.openapi",
        "static",
    }
)
"""Endpoints without authentication: liveness, and content that is the same in every installation."""

KEY_HEADERS = ("x-api-key", "api-key")
"""Headers with an API key besides `Authorization: Bearer`. Azure's clients send the second one."""


class Keys:
    """The valid API keys. Without keys, every request is allowed."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._valid = [key.encode() for key in keys]

    @property
    def required(self) -> bool:
        """True if requests need a key."""
        return bool(self._valid)

    def reloadable(self) -> ReloadablePart:
        """Returns the part that replaces the keys by those of the setting `api_keys`."""

        def prepare(settings: Settings) -> Commit:
            if self._valid and not settings.api_keys:
                raise SettingError("api_keys must not become empty by a reload. Keep a key, or restart the service.")
            keys = [key.encode() for key in settings.api_keys]

            def commit() -> None:
                self._valid = keys

            return commit

        return ReloadablePart("api_keys", frozenset({"api_keys"}), prepare)

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raises HttpError 401 if the WSGI request carries no valid key."""
        if not self._valid:
            return
        key = request_key(environ)
        if key is None:
            raise _unauthorized("an API key is required. Send it in X-API-Key or api-key, or as Authorization: Bearer")
        if not self.is_valid(key):
            raise _unauthorized("invalid API key")

    def is_valid(self, key: str) -> bool:
        """Returns True if *key* is one of the valid keys.

        WSGI decodes header bytes as Latin-1. All keys are compared in constant time, so that the duration reveals
        nothing about them.
        """
        matches = [hmac.compare_digest(key.encode("latin-1", "replace"), valid) for valid in self._valid]
        return any(matches)

    def without_keys(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Returns *headers* without those that contain a valid key anywhere, which must not reach another server."""
        if not self._valid:
            return list(headers)
        return [(name, value) for name, value in headers if not self._carries_key(value)]

    def check_target(self, target: str) -> None:
        """Raises InvalidRequest if a valid key is part of *target*, the path and query string of a request."""
        plain = unquote_to_bytes(target.replace("+", " "))
        if any(key in plain for key in self._valid if len(key) >= MIN_SECRET_CHARACTERS):
            raise InvalidRequest("the URL must not contain an API key. Send the key in the header X-API-Key")

    def _carries_key(self, value: str) -> bool:
        data = value.encode("latin-1", "replace")
        scheme, _, credentials = data.strip().partition(b" ")
        if scheme.lower() == b"basic":
            with suppress(binascii.Error):
                data += b" " + binascii.a2b_base64(credentials)
        words = data.translate(bytes.maketrans(b",;:=\"'\t", b"       ")).split()
        # A short key can be part of another word by chance.
        return any(key in words or (len(key) >= MIN_SECRET_CHARACTERS and key in data) for key in self._valid)


def register(app: Flask, keys: Keys) -> None:
    """Requires one of *keys* on every request of *app* except to OPEN_ENDPOINTS. No keys: allows all requests."""

    @app.before_request
    def check_key() -> None:
        if request.endpoint not in OPEN_ENDPOINTS:
            keys.check(request.environ)


def request_key(environ: Mapping[str, Any]) -> str | None:
    """Returns the API key of a WSGI request, if it has one."""
    for header in KEY_HEADERS:
        key: str | None = environ.get(f"HTTP_{header.upper().replace('-', '_')}")
        if key is not None:
            return key
    return _bearer(environ.get("HTTP_AUTHORIZATION", ""))


def _bearer(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _unauthorized(message: str) -> HttpError:
    return HttpError(401, message, headers={"WWW-Authenticate": 'Bearer realm="rerank"'})

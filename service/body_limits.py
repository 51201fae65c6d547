"""Largest accepted body of each route."""

from __future__ import annotations

from flask import Flask, request

from rerank.core.settings import Settings

BULK_ENDPOINTS = frozenset({"documents.add", "documents.delete"})
"""Endpoints whose bodies `max_body_mb` limits; `max_search_body_mb` limits all others."""


def register(app: Flask, settings: Settings) -> None:
    """Limits the bodies of each request of *app*."""

    @app.before_request
    def limit_body() -> None:
        request.max_content_length = getattr(settings, limiting_setting(request.endpoint)) << 20


def limiting_setting(endpoint: str | None) -> str:
    """Returns the name of the setting that limits the bodies of *endpoint*."""
    return "max_body_mb" if endpoint in BULK_ENDPOINTS else "max_search_body_mb"

"""Methods and paths that the service handles instead of forwarding them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import unquote

from flask import Flask

from rerank.service.dialects.detection import ROOT_PATH, TEXT_SIMILARITY_PATH

PAGE = ("GET", "/")
ROOT_RERANK = ("POST", ROOT_PATH)
PREDICTIONS = TEXT_SIMILARITY_PATH.partition("<")[0]
STYLES = "/static/page.css"
SCRIPTS = "/static/page/"
"""Folder of the files that the web page loads, besides its styles."""


@dataclass(frozen=True)
class OwnRoutes:
    """Routes of the service: exact ones, and path prefixes followed by one segment.

    OpenSearch also has the path of ml-commons predictions: the service handles only those of `models`.
    """

    exact: frozenset[tuple[str, str]]
    prefixes: tuple[tuple[str, str], ...]
    models: Callable[[], Collection[str]] = tuple

    @classmethod
    def from_app(
        cls, app: Flask, *, models: Callable[[], Collection[str]] = tuple, preflight: bool = False
    ) -> OwnRoutes:
        """Returns the routes of *app*, except HEAD, OPTIONS and POST to /, which belong to OpenSearch.

        *preflight*: include OPTIONS on all paths except /, for requests of browsers from other origins.
        """
        exact, prefixes = {("GET", STYLES)}, [("GET", SCRIPTS)]
        for rule in app.url_map.iter_rules():
            if rule.endpoint == "static":
                continue
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                if rule.arguments:
                    prefixes.append((method, rule.rule.partition("<")[0]))
                else:
                    exact.add((method, rule.rule))
                    if rule.strict_slashes is False and rule.rule != ROOT_PATH:
                        exact.add((method, f"{rule.rule}/"))
        if preflight:
            exact |= {("OPTIONS", path) for _, path in exact if path != ROOT_PATH}
            prefixes += sorted({("OPTIONS", prefix) for _, prefix in prefixes})
        return cls(frozenset(exact - {ROOT_RERANK}), tuple(sorted(prefixes)), models)

    def matches(self, method: str, path: str, accept: str) -> bool:
        """Returns True if the service handles the request.

        *path* is compared without decoding, so `/%73earch` goes to OpenSearch. `GET /` belongs to the service only if
        *accept* names text/html.
        """
        if (method, path) == PAGE:
            return "text/html" in accept
        if (method, path) in self.exact:
            return True
        for prefix_method, prefix in self.prefixes:
            if method == prefix_method and path.startswith(prefix):
                segment = path[len(prefix) :]
                is_own_model = prefix != PREDICTIONS or unquote(segment) in self.models()
                return bool(segment) and "/" not in segment and is_own_model
        return False

"""What is ours: the exact methods and paths that never reach the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from flask import Flask

from rerank.service.dialects.detection import ROOT_PATH, TEXT_SIMILARITY_PATH

PAGE = ("GET", "/")
ROOT_RERANK = ("POST", ROOT_PATH)
PREDICTIONS = TEXT_SIMILARITY_PATH.partition("<")[0]
ASSETS = ("/static/page.css", "/static/page.js")
"""What the page loads."""


@dataclass(frozen=True)
class Shadowed:
    """Methods and paths of ours: `exact`, and those under a prefix, one segment deep, in `prefixes`.

    Predictions of the server's own models have a path that we answer as well: only for `models` is it ours.
    """

    exact: frozenset[tuple[str, str]]
    prefixes: tuple[tuple[str, str], ...]
    models: frozenset[str] = frozenset()

    @classmethod
    def of(cls, app: Flask, *, models: Iterable[str] = ()) -> Shadowed:
        """Everything that *app* answers, and no other verb: HEAD and OPTIONS, and POST to /, belong to the server."""
        exact, prefixes = {("GET", path) for path in ASSETS}, []
        for rule in app.url_map.iter_rules():
            if rule.endpoint == "static":
                continue
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                if rule.arguments:
                    prefixes.append((method, rule.rule.partition("<")[0]))
                else:
                    exact.add((method, rule.rule))
        return cls(frozenset(exact - {ROOT_RERANK}), tuple(sorted(prefixes)), frozenset(models))

    def __call__(self, method: str, path: str, accept: str) -> bool:
        """Whether a request is ours. *path* is as it was sent: `/%73earch` is the server's. `GET /` is ours only for
        whoever wants text/html."""
        if (method, path) == PAGE:
            return "text/html" in accept
        if (method, path) in self.exact:
            return True
        for own, prefix in self.prefixes:
            if method == own and path.startswith(prefix):
                segment = path[len(prefix) :]
                ours = prefix != PREDICTIONS or unquote(segment) in self.models
                return bool(segment) and "/" not in segment and ours
        return False

"""What is ours: the exact methods and paths that never reach the server."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

PAGE = ("GET", "/")
ASSETS = ("/static/page.css", "/static/page.js")
"""What the page loads."""


@dataclass(frozen=True)
class Shadowed:
    """Methods and paths of ours: `exact`, and those under a prefix, one segment deep, in `prefixes`."""

    exact: frozenset[tuple[str, str]]
    prefixes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, app: Flask) -> Shadowed:
        """Everything that *app* answers, and no other verb: its own HEAD and OPTIONS belong to the server."""
        exact, prefixes = {("GET", path) for path in ASSETS}, []
        for rule in app.url_map.iter_rules():
            if rule.endpoint == "static":
                continue
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                if rule.arguments:
                    prefixes.append((method, rule.rule.partition("<")[0]))
                else:
                    exact.add((method, rule.rule))
        return cls(frozenset(exact), tuple(sorted(prefixes)))

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
                return bool(segment) and "/" not in segment
        return False

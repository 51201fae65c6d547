"""Comparison of the guide's table of search endpoints with the endpoints of opensearch-py."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from opensearchpy import client

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "proxy.md"
FAMILIES = frozenset(
    {
        "_search",
        "_msearch",
        "_count",
        "_explain",
        "_rank_eval",
        "_search_shards",
        "_validate",
        "_render",
        "_asynchronous_search",
    }
)
"""Path segments of requests that search documents."""


def _segments(call: ast.Call) -> list[str]:
    """Returns the segments of a path that the client builds with _make_path, with variables in braces."""
    return [
        str(argument.value) if isinstance(argument, ast.Constant) else f"{{{ast.unparse(argument)}}}"
        for argument in call.args
    ]


def client_paths() -> set[str]:
    """Returns the paths of search endpoints in opensearch-py, which is generated from the API specification."""
    paths: set[str] = set()
    root = Path(inspect.getfile(client)).parents[1]
    for file in [*root.glob("client/*.py"), *root.glob("plugins/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "_make_path":
                paths.add("/" + "/".join(_segments(node)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/_"):
                paths.add(node.value)
    return {path for path in paths if _is_search(path)}


def _is_search(path: str) -> bool:
    """Returns True for searches of documents. Other plugins search their own configuration."""
    segments = path.strip("/").split("/")
    first = next((segment for segment in segments if segment.startswith("_") and segment != "_plugins"), "")
    return first in FAMILIES


def test_guide_lists_every_search_endpoint() -> None:
    """A reader finds for each endpoint whether the proxy reranks it."""
    guide = GUIDE.read_text()
    table = guide[guide.index("### Search endpoints") : guide.index("### Searches that are not reranked")]
    missing = {path for path in client_paths() if f"`{path}`" not in table}
    assert missing == set()
    assert "/{index}/_search/template" in client_paths()

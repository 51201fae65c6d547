"""Reranking for OpenSearch and Elasticsearch: retrieve with a bi-encoder, rerank with a cross-encoder.

The names below are the public interface for Python programs; `docs/python.md` shows how to use them. Importing this
package loads no model library: each name is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rerank.core.errors import RerankError
    from rerank.core.pipeline import SearchPipeline
    from rerank.core.search import SearchRequest, SearchResult
    from rerank.core.settings import Settings
    from rerank.library import (
        create_app,
        load_encoder,
        load_reranker,
        load_settings,
        open_pipeline,
        open_store,
        score_pairs,
    )

__all__ = [
    "RerankError",
    "SearchPipeline",
    "SearchRequest",
    "SearchResult",
    "Settings",
    "create_app",
    "load_encoder",
    "load_reranker",
    "load_settings",
    "open_pipeline",
    "open_store",
    "score_pairs",
]

_MODULES = {
    "RerankError": "rerank.core.errors",
    "SearchPipeline": "rerank.core.pipeline",
    "SearchRequest": "rerank.core.search",
    "SearchResult": "rerank.core.search",
    "Settings": "rerank.core.settings",
}
"""Modules of the public names that are not in rerank.library."""


def __getattr__(name: str) -> object:
    """Imports a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'rerank' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES.get(name, "rerank.library")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

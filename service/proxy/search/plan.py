"""Plan of a search that the proxy reranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.rerank_options import RerankOptions
from rerank.service.proxy.search.retriever import FirstStage


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the proxy needs to rerank a search.

    call: the search in a form that the server understands. start, size: the client's page. window: number of hits to
    rerank. first_stage: set if a retriever defines the search.
    """

    call: SearchCall
    options: RerankOptions
    query_text: str
    start: int
    size: int
    window: int
    texts: HitTexts
    first_stage: FirstStage | None = None

    @property
    def width(self) -> int:
        """Number of hits to fetch: the window, or more if the page ends beyond it."""
        return max(self.window, self.start + self.size)

    def window_body(self) -> dict[str, Any]:
        """Returns the body that fetches the first `width` hits with their texts."""
        body = {key: value for key, value in self.call.body.items() if key not in ("from", "size")}
        return {**self.texts.add_to(body), "from": 0, "size": self.width}

    @property
    def target(self) -> str:
        """Path and query string for window_body().

        `from` and `size` of the URL would override those of the body, and `filter_path` could remove parts that the
        proxy needs.
        """
        return self.call.target("from", "size", "filter_path")


def without_rerank_extension(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns *body* without `ext.rerank`, which OpenSearch would refuse."""
    ext = body.get("ext")
    if not isinstance(ext, Mapping) or "rerank" not in ext:
        return dict(body)
    other_extensions = {key: value for key, value in ext.items() if key != "rerank"}
    rest = {key: value for key, value in body.items() if key != "ext"}
    return {**rest, "ext": other_extensions} if other_extensions else rest


def is_disabled(body: Mapping[str, Any]) -> bool:
    """Returns True if `ext.rerank` of *body* is null: the client requests the search without reranking."""
    ext = body.get("ext")
    return isinstance(ext, Mapping) and "rerank" in ext and ext["rerank"] is None

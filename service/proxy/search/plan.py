"""A search that will be re-ranked: with which text, how wide, and which page of it the client wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rerank.service.proxy.search.asked import Asked
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.retriever import Retrieval


@dataclass(frozen=True, slots=True)
class Plan:
    """`start` and `size`: the client's page. `window`: hits that are re-ranked. `retrieval`: where a retriever gave
    the search. `call` has the body as OpenSearch understands it, without what is ours."""

    call: SearchCall
    asked: Asked
    query_text: str
    start: int
    size: int
    window: int
    texts: HitTexts
    retrieval: Retrieval | None = None

    @property
    def width(self) -> int:
        """Hits that are fetched: the window, and the page where it goes beyond."""
        return max(self.window, self.start + self.size)

    def widened(self) -> dict[str, Any]:
        """The body that fetches them, with their texts."""
        body = {key: value for key, value in self.call.body.items() if key not in ("from", "size")}
        return {**self.texts.asked_in(body), "from": 0, "size": self.width}

    @property
    def target(self) -> str:
        """Where that body goes: the address's own from and size would win over the body's, and what filter_path takes
        away may be needed here."""
        return self.call.target("from", "size", "filter_path")


def stripped(body: Mapping[str, Any]) -> dict[str, Any]:
    """*body* without `ext.rerank`, which OpenSearch would refuse."""
    ext = body.get("ext")
    if not isinstance(ext, Mapping) or "rerank" not in ext:
        return dict(body)
    left = {key: value for key, value in ext.items() if key != "rerank"}
    rest = {key: value for key, value in body.items() if key != "ext"}
    return {**rest, "ext": left} if left else rest

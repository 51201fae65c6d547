"""Interface of a search server product: the rules, the mapping and the search of vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from opensearchpy import OpenSearch

from rerank.core.protocols import IndexSpec

Hit = Mapping[str, Any]
Search = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Function that sends a search body to the index and returns the response."""


@dataclass(frozen=True)
class VectorQuery:
    """Search for the `k` documents whose best passage is nearest to `vector` (dim,).

    clause: filter of the documents, or None. exact: compare every vector. spec: properties of the index.
    """

    vector: NDArray[np.float32]
    k: int
    clause: Mapping[str, Any] | None
    exact: bool
    spec: IndexSpec


class Product(Protocol):
    """Search server product. `name` is its name for users.

    refresh_interval: shortest interval that the server accepts, at least one second. merges_segments: False if the
    server merges segments only by itself.
    """

    name: str
    refresh_interval: str
    merges_segments: bool

    def check(self, api: OpenSearch, name: str, spec: IndexSpec) -> None:
        """Raises SettingError or StoreError if the server cannot have the index *name* with *spec*."""

    def index_settings(self) -> dict[str, Any]:
        """Returns the index settings, without the refresh interval."""

    def vector_property(self, spec: IndexSpec) -> dict[str, Any]:
        """Returns the mapping of a vector field."""

    def nearest(self, search: Search, query: VectorQuery) -> Sequence[Hit]:
        """Returns at most k hits, best first, ties by document id, each with its best passage as inner hit `passages`.

        The score of a hit is (1 + cosine) / 2.
        """

"""Kinds of the vector index (`index_options` of `dense_vector`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rerank.core.errors import StoreError

_GRAPH = {"m": 16, "ef_construction": 128}


@dataclass(frozen=True)
class VectorKind:
    """Kind of a vector index.

    since: first version that has it. oversample: number of candidates that are rescored with the full vectors, as a
    multiple of the candidates in the graph; None if the index has only full vectors. graph: has an HNSW graph.
    """

    since: tuple[int, int]
    oversample: float | None
    graph: bool = True
    smallest_dim: int = 1
    even_dim: bool = False

    def options(self, name: str) -> dict[str, Any]:
        """Returns the `index_options` of the kind *name*."""
        return {"type": name, **_GRAPH} if self.graph else {"type": name}

    def check_dimensions(self, name: str, dim: int, *, maximum: int) -> None:
        """Raises StoreError if the kind *name* cannot have vectors of *dim* dimensions."""
        if not self.smallest_dim <= dim <= maximum:
            raise StoreError(
                f"Vectors of vector_index {name} on Elasticsearch must have between {self.smallest_dim} and {maximum} "
                f"dimensions, got {dim}. Choose another vector_index or encoder."
            )
        if self.even_dim and dim % 2:
            raise StoreError(
                f"Vectors of vector_index {name} must have an even number of dimensions, got {dim}. "
                "Choose another vector_index."
            )


# Vectors of 8 bits lose so little that the candidates of the graph suffice. With fewer bits, more of them are rescored.
VECTOR_KINDS: Mapping[str, VectorKind] = {
    "int8_hnsw": VectorKind((8, 12), oversample=1.0),
    "int4_hnsw": VectorKind((8, 15), oversample=2.0, even_dim=True),
    "bbq_hnsw": VectorKind((8, 18), oversample=3.0, smallest_dim=64),
    "hnsw": VectorKind((8, 12), oversample=None),
    "flat": VectorKind((8, 13), oversample=None, graph=False),
}

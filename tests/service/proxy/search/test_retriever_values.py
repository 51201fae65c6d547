from __future__ import annotations

import math
from typing import Any

import pytest

from rerank.core.errors import InvalidRequest
from rerank.service.proxy.search.retriever import parse_retriever

STANDARD: dict[str, Any] = {"standard": {"query": {"match_all": {}}}}


@pytest.mark.parametrize("number", [math.nan, math.inf, 10**400, True, "1"])
def test_number_that_is_not_finite_is_refused(number: object) -> None:
    """JSON of clients can contain NaN, and integers beyond the range of a double."""
    weighted = {"rrf": {"retrievers": [{"retriever": STANDARD, "weight": number}]}}
    for inner, more in ((weighted, {}), (STANDARD, {"min_score": number})):
        part = {"inference_text": "tea", "field": "text", "retriever": inner, **more}
        with pytest.raises(InvalidRequest, match="must be a finite number"):
            parse_retriever({"retriever": {"text_similarity_reranker": part}})

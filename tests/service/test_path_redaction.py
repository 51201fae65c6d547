from __future__ import annotations

import pytest

from rerank.service.path_redaction import without_paths


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("/models/mine: the reranker fails", "mine: the reranker fails"),
        ("cannot read /models/mine/config.json: denied", "cannot read mine/config.json: denied"),
        ('store "/var/lib/rerank-data" is closed', 'store "rerank-data" is closed'),
        ("OpenSearch at http://host:9200/prefix refused", "OpenSearch at http://host:9200/prefix refused"),
        ("model org/name and models/mine, 5/s", "model org/name and models/mine, 5/s"),
        ("", ""),
    ],
)
def test_absolute_paths_are_shortened(message: str, expected: str) -> None:
    """URLs, hub ids and relative paths stay."""
    assert without_paths(message) == expected

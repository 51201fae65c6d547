from __future__ import annotations

import pytest

from rerank.service.proxy.search.call import json_content_type

COMPATIBLE = "application/vnd.elasticsearch+json; compatible-with=9"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (COMPATIBLE, COMPATIBLE),
        (COMPATIBLE.replace("; ", ";"), COMPATIBLE.replace("; ", ";")),
        (f"{COMPATIBLE},text/plain", "application/json"),
        ("application/vnd.elasticsearch+x-ndjson; compatible-with=9", "application/json"),
    ],
)
def test_json_content_type_has_the_version_of_accept(accept: str | None, expected: str) -> None:
    """Elasticsearch refuses a version that only one of Accept and Content-Type names."""
    headers = () if accept is None else (("accept", accept), ("content-type", "text/plain"))
    assert json_content_type(headers) == expected

from __future__ import annotations

import pytest

from rerank.service.proxy.search.call import json_type

COMPATIBLE = "application/vnd.elasticsearch+json; compatible-with=9"


@pytest.mark.parametrize(
    ("accept", "kind"),
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
def test_json_is_named_as_its_answer_is_asked_for(accept: str | None, kind: str) -> None:
    """Elasticsearch refuses a version that only one of Accept and Content-Type has."""
    headers = () if accept is None else (("accept", accept), ("content-type", "text/plain"))
    assert json_type(headers) == kind

"""Rules for cloud IDs in the setting `store`."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from rerank.core.settings import Settings


def cloud_id(decoded: str) -> str:
    """Returns the cloud ID of *decoded*."""
    return f"cloud_id:trial:{base64.b64encode(decoded.encode()).decode()}"


@pytest.mark.parametrize(
    ("decoded", "url"),
    [
        ("eu.found.io$abc$kib", "https://abc.eu.found.io:443"),
        ("eu.found.io:9243$abc$kib", "https://abc.eu.found.io:9243"),
        ("eu.found.io:9243$abc:9244$", "https://abc.eu.found.io:9244"),
        ("eu.found.io$abc", "https://abc.eu.found.io:443"),
    ],
)
def test_cloud_id_becomes_the_url_of_elasticsearch(decoded: str, url: str) -> None:
    """The part after the second colon holds the host and the deployment."""
    assert Settings(store=cloud_id(decoded)).store == url


@pytest.mark.parametrize("store", ["cloud_id:trial:%%", "cloud_id:trial", cloud_id("no dollar"), cloud_id("h:x$a$b")])
def test_invalid_cloud_id_is_refused(store: str) -> None:
    """The message states the form."""
    with pytest.raises(ValidationError, match="must be cloud_id:NAME:BASE64"):
        Settings(store=store)

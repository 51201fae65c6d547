from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.rerank_options import MAX_FIELDS
from rerank.service.proxy.search.text_fields import TTL_SECONDS, TextFields, text_fields

TEXT = {"type": "text"}


def mapping(**properties: Any) -> dict[str, Any]:
    """Returns a mapping response of one index."""
    return {"i": {"mappings": {"properties": properties}}}


@pytest.mark.parametrize(
    ("mappings", "fields"),
    [
        (mapping(text=TEXT, title=TEXT, year={"type": "integer"}, tag={"type": "keyword"}), ("title", "text")),
        (mapping(a={**TEXT, "copy_to": "all"}, b={**TEXT, "copy_to": ["all", "b2"]}, all=TEXT, b2=TEXT), ("a", "b")),
        (mapping(a={**TEXT, "fields": {"raw": TEXT}}), ("a",)),
        (mapping(o={"properties": {"b": TEXT, "name": TEXT}}), ("o.name", "o.b")),
        (mapping(a=TEXT, p={"type": "nested", "properties": {"b": TEXT}}), ("a",)),
        (mapping(p={"type": "nested", "properties": {"q": {"properties": {"b": TEXT}}}}), ("p.q.b",)),
        (mapping(tag={"type": "keyword"}), ()),
        ({"i": mapping(a=TEXT)["i"], "j": mapping(b=TEXT)["i"]}, ("a", "b")),
        ({"i": {"mappings": {}}}, ()),
        ({}, ()),
        (None, ()),
        ([], ()),
    ],
)
def test_text_fields_exclude_copies(mappings: Any, fields: tuple[str, ...]) -> None:
    """Titles come first. Copies, multi-fields and redundant nested fields are left out."""
    assert text_fields(mappings) == fields


def test_number_of_text_fields_is_limited() -> None:
    """An index of logs may have thousands."""
    assert len(text_fields(mapping(**{f"f{i}": TEXT for i in range(200)}))) == MAX_FIELDS


def test_mapping_is_cached_for_each_client() -> None:
    """Clients may have different permissions. Entries expire after a minute."""
    now = [0.0]
    fetched: list[tuple[str, str]] = []

    def fetch(call: SearchCall, target: str) -> object:
        fetched.append((dict(call.headers).get("authorization", ""), target))
        return mapping(text=TEXT)

    fields = TextFields(fetch, clock=lambda: now[0])
    keyed = SearchCall("a b,c*", (), {}, (("authorization", "Basic 1"),))
    anonymous = SearchCall("", (), {}, ())
    for call in (keyed, keyed, anonymous, anonymous):
        assert fields.of(call).default == ("text",)
    now[0] = TTL_SECONDS
    fields.of(keyed)
    assert fetched == [("Basic 1", "/a%20b,c*/_mapping"), ("", "/_mapping"), ("Basic 1", "/a%20b,c*/_mapping")]

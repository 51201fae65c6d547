from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.asked import MAX_FIELDS
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.text_fields import FRESH_SECONDS, TextFields, text_fields

TEXT = {"type": "text"}


def mapping(**properties: Any) -> dict[str, Any]:
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
def test_text_is_what_holds_words_of_its_own(mappings: Any, fields: tuple[str, ...]) -> None:
    """Titles first; copies and multi-fields are the same words again, nested parts only where there is no whole."""
    assert text_fields(mappings) == fields


def test_only_so_many_fields_are_read() -> None:
    """An index of logs may have thousands."""
    assert len(text_fields(mapping(**{f"f{i}": TEXT for i in range(200)}))) == MAX_FIELDS


def test_a_mapping_is_asked_for_once_a_minute_and_client() -> None:
    """With each client's own rights: what one may see says nothing of another."""
    now = [0.0]
    asked: list[tuple[str, str]] = []

    def fetch(call: SearchCall, target: str) -> object:
        asked.append((dict(call.headers).get("authorization", ""), target))
        return mapping(text=TEXT)

    fields = TextFields(fetch, clock=lambda: now[0])
    one = SearchCall("a b,c*", (), {}, (("authorization", "Basic 1"),))
    other = SearchCall("", (), {}, ())
    for call in (one, one, other, other):
        assert fields.of(call) == ("text",)
    now[0] = FRESH_SECONDS
    fields.of(one)
    assert asked == [("Basic 1", "/a%20b,c*/_mapping"), ("", "/_mapping"), ("Basic 1", "/a%20b,c*/_mapping")]

"""Fields that a search looks at, and the scored fields that follow from them."""

from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.searched_fields import SearchedFields
from rerank.service.proxy.search.text_fields import TextMapping

TEXT = {"type": "text"}
MAPPING = {
    "i": {
        "mappings": {
            "properties": {
                **{f"meta_{i:02d}": TEXT for i in range(60)},
                "title": {**TEXT, "copy_to": "all", "fields": {"en": TEXT, "raw": {"type": "keyword"}}},
                "body": {**TEXT, "copy_to": ["all"]},
                "all": TEXT,
                "old": {"type": "alias", "path": "body"},
                "suggest": {"type": "search_as_you_type"},
                "year": {"type": "integer"},
                "chunks": {"type": "nested", "properties": {"text": TEXT}},
            }
        }
    }
}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"match": {"body": "tea"}}, ("body",)),
        ({"multi_match": {"query": "tea", "fields": ["body^2", "title"]}}, ("title", "body")),
        ({"multi_match": {"query": "tea", "fields": ["meta_0*^3"]}}, tuple(f"meta_0{i}" for i in range(10))),
        ({"nested": {"path": "chunks", "query": {"match": {"chunks.text": "tea"}}}}, ("chunks.text",)),
        ({"match": {"title.en": "tea"}}, ("title",)),
        ({"match": {"all": "tea"}}, ("title", "body")),
        ({"match": {"old": "tea"}}, ("body",)),
        ({"multi_match": {"query": "t", "fields": ["suggest", "suggest._2gram"]}}, ("suggest",)),
        ({"query_string": {"query": "body:tea"}}, ("body",)),
        ({"query_string": {"query": "tea AND body:green", "default_field": "title"}}, ("title", "body")),
        ({"simple_query_string": {"query": "tea", "fields": ["body"]}}, ("body",)),
        ({"bool": {"must": {"match": {"body": "tea"}}, "filter": {"match": {"meta_01": "x"}}}}, ("body",)),
        ({"hybrid": {"queries": [{"match": {"body": "tea"}}, {"neural": {"v": {"query_text": "tea"}}}]}}, ("body",)),
        ({"has_child": {"type": "t", "query": {"match": {"meta_01": "tea"}}}}, None),
        ({"match": {"year": 2001}}, ()),
        ({"match": {"unknown": "tea"}}, ()),
        ({"knn": {"v": {"query_text": "tea"}}}, None),
        ({"query_string": {"query": "tea"}}, None),
        ({"match_all": {}}, None),
    ],
)
def test_scored_fields_are_those_of_the_query(query: dict[str, Any], fields: tuple[str, ...] | None) -> None:
    """None stands for the default: all text fields, titles first."""
    mapping = TextMapping.parse(MAPPING)
    assert mapping.scored(SearchedFields.of(query)) == (mapping.default if fields is None else fields)


def test_url_query_names_its_fields() -> None:
    """`q` and `df` are the URL form of a query string."""
    mapping = TextMapping.parse(MAPPING)
    assert mapping.scored(SearchedFields.of(None, q="tea", df="body")) == ("body",)
    assert mapping.scored(SearchedFields.of(None, q="title:tea")) == ("title",)


def test_fields_of_an_unavailable_mapping_are_those_of_the_query() -> None:
    """The server does not return the mappings of another cluster's indexes."""
    query = {"multi_match": {"query": "tea", "fields": ["body", "meta_*"]}}
    assert TextMapping.parse(None).scored(SearchedFields.of(query)) == ("body",)

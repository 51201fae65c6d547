from __future__ import annotations

import pytest

from rerank.core.errors import StoreFull
from rerank.core.protocols import Index
from rerank.service.response_models import AddResponse, DeleteResponse
from tests.fakes import FakeEncoder
from tests.memory_store import InMemoryStore
from tests.service.fake_service import INDEX, TEA, client, components, error

WATER = {"doc_id": "water", "title": "Water", "text": "rain and rivers", "metadata": {"lang": "en"}}


def test_a_document_is_found_by_the_next_search() -> None:
    """What was added is searchable when the answer comes."""
    asked = client()
    added = asked.post("/documents", json={"index": INDEX, "documents": [WATER]})
    assert (added.status_code, added.get_json()) == (
        200,
        {"index": "docs", "indexed": 1, "passages": 1, "skipped": 0, "duplicates": 0, "rejected": []},
    )
    (hit,) = asked.get("/search?q=rivers&index=docs&k=1").get_json()["hits"]
    assert {key: hit[key] for key in WATER} == WATER


def test_unchanged_documents_are_skipped_and_the_last_of_equal_ids_counts() -> None:
    """Adding twice changes nothing; a document that comes twice in one request is counted."""
    body = {
        "index": INDEX,
        "documents": [
            {"doc_id": TEA.doc_id, "title": TEA.title, "text": TEA.text, "metadata": dict(TEA.metadata)},
            {"doc_id": "x", "text": "first"},
            {"doc_id": "x", "text": "last"},
        ],
    }
    answer = client().post("/documents", json=body).get_json()
    assert answer == {"index": "docs", "indexed": 1, "passages": 1, "skipped": 1, "duplicates": 1, "rejected": []}


def test_a_document_that_cannot_be_kept_is_rejected_and_the_others_are_written() -> None:
    """One bad document never stops its neighbours; its id and the reason come back."""
    documents = [
        {"doc_id": "blank", "text": " "},
        {"doc_id": "torn\ud800", "text": "x"},
        {"doc_id": "year", "text": "x", "metadata": {"year": "long ago"}},
        WATER,
    ]
    answer = client().post("/documents", json={"index": INDEX, "documents": documents}).get_json()
    AddResponse.model_validate({**answer, "rejected": []})
    assert (answer["indexed"], [entry["doc_id"] for entry in answer["rejected"]]) == (
        1,
        ["blank", "torn\ud800", "year"],
    )
    assert answer["rejected"][0]["reason"] == "the text is blank, and there is no title to stand for it"


def test_deleted_documents_are_gone() -> None:
    """Deleting says how many there were; those that were not there are no error."""
    asked = client()
    answer = asked.delete("/documents", json={"index": INDEX, "doc_ids": ["tea", "tea", "unknown"]})
    assert (answer.status_code, answer.get_json()) == (200, {"index": "docs", "deleted": 1})
    DeleteResponse.model_validate(answer.get_json())
    hits = asked.get("/search?q=tea&index=docs").get_json()["hits"]
    assert sorted(hit["doc_id"] for hit in hits) == ["coffee", "milk"]


def test_nothing_to_do_is_no_error() -> None:
    """Empty lists are answered with zeros."""
    asked = client()
    assert asked.post("/documents", json={"index": INDEX, "documents": []}).get_json()["indexed"] == 0
    assert asked.delete("/documents", json={"index": INDEX, "doc_ids": []}).get_json() == {"index": INDEX, "deleted": 0}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_no_index_is_made_on_the_way(method: str) -> None:
    """An unknown index is a 404 that names the command which makes one."""
    body: dict[str, object] = (
        {"index": "nope", "documents": []} if method == "POST" else {"index": "nope", "doc_ids": []}
    )
    asked = client()
    answer = asked.open("/documents", method=method, json=body)
    message = (
        'there is no index "nope"; indexes there are: docs; an index is made with rerank-cli ingest CORPUS --index NAME'
    )
    assert (answer.status_code, answer.get_json()) == (404, error(message, "NotFound"))
    assert [index["name"] for index in asked.get("/indexes").get_json()["indexes"]] == ["docs"]


@pytest.mark.parametrize(
    ("documents", "message", "field"),
    [
        ({}, '"documents" is a list, not an object', "documents"),
        ([7], '"documents[0]" is an object, not 7', "documents[0]"),
        ([WATER, {"text": "x"}], '"documents[1].doc_id" is missing', "documents[1].doc_id"),
        ([{"doc_id": 7, "text": "x"}], '"documents[0].doc_id" is a string, not 7', "documents[0].doc_id"),
        (
            [{"doc_id": "a", "txt": "x"}],
            'unknown key "documents[0].txt"; the nearest is "text" (all: doc_id, text, title, metadata)',
            "documents[0].txt",
        ),
        ([WATER] * 1001, '"documents" has at most 1,000 members, not 1,001', "documents"),
    ],
)
def test_a_wrong_body_writes_nothing(documents: object, message: str, field: str) -> None:
    """A body that is not what it should be is refused whole, before anything is written."""
    asked = client()
    answer = asked.post("/documents", json={"index": INDEX, "documents": documents})
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))
    assert asked.get("/indexes").get_json()["indexes"][0]["documents"] == 3


def test_another_encoders_index_takes_no_documents() -> None:
    """Vectors of two encoders never meet in one index."""
    answer = client(components(encoder=FakeEncoder(name="other"))).post(
        "/documents", json={"index": INDEX, "documents": [WATER]}
    )
    assert (answer.status_code, answer.get_json()["error_type"]) == (409, "EncoderMismatch")


def test_a_full_disk_says_so() -> None:
    """Writing without space is a status of its own, with the store's sentence."""

    class Full(InMemoryStore):
        def open(self, name: str) -> Index:
            raise StoreFull("no space is left in rerank-data; free some")

    answer = client(components(store=Full())).post("/documents", json={"index": INDEX, "documents": [WATER]})
    assert (answer.status_code, answer.get_json()) == (
        507,
        error("no space is left in rerank-data; free some", "Store"),
    )

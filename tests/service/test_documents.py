from __future__ import annotations

import pytest

from rerank.core.errors import StoreFull
from rerank.core.protocols import Index
from rerank.service.response_models import AddResponse, DeleteResponse
from tests.fakes import FakeEncoder
from tests.memory_store import InMemoryStore
from tests.service.fake_service import INDEX, TEA, client, components, error

WATER = {"doc_id": "water", "title": "Water", "text": "rain and rivers", "metadata": {"lang": "en"}}


def test_added_document_is_found_by_the_next_search() -> None:
    """The response is sent once the document is searchable."""
    service = client()
    added = service.post("/documents", json={"index": INDEX, "documents": [WATER]})
    assert (added.status_code, added.get_json()) == (
        200,
        {"index": "docs", "indexed": 1, "passages": 1, "skipped": 0, "duplicates": 0, "rejected": []},
    )
    (hit,) = service.get("/search?q=rivers&index=docs&k=1").get_json()["hits"]
    assert {key: hit[key] for key in WATER} == WATER


def test_unchanged_documents_are_skipped_and_the_last_duplicate_wins() -> None:
    """A repeated request changes nothing; duplicates within a request are counted."""
    body = {
        "index": INDEX,
        "documents": [
            {"doc_id": TEA.doc_id, "title": TEA.title, "text": TEA.text, "metadata": dict(TEA.metadata)},
            {"doc_id": "x", "text": "first"},
            {"doc_id": "x", "text": "last"},
        ],
    }
    response = client().post("/documents", json=body).get_json()
    assert response == {"index": "docs", "indexed": 1, "passages": 1, "skipped": 1, "duplicates": 1, "rejected": []}


def test_invalid_documents_are_rejected_and_the_others_are_written() -> None:
    """The response has the id of each rejected document and the reason."""
    documents = [
        {"doc_id": "blank", "text": " "},
        {"doc_id": "torn\ud800", "text": "x"},
        {"doc_id": "year", "text": "x", "metadata": {"year": "long ago"}},
        WATER,
    ]
    response = client().post("/documents", json={"index": INDEX, "documents": documents}).get_json()
    AddResponse.model_validate({**response, "rejected": []})
    assert (response["indexed"], [entry["doc_id"] for entry in response["rejected"]]) == (
        1,
        ["blank", "torn\ud800", "year"],
    )
    assert response["rejected"][0]["reason"] == "text and title are both blank. Set at least one of them"


def test_deleted_documents_are_not_found() -> None:
    """The response has the number of deleted documents; unknown ids are not an error."""
    service = client()
    response = service.delete("/documents", json={"index": INDEX, "doc_ids": ["tea", "tea", "unknown"]})
    assert (response.status_code, response.get_json()) == (200, {"index": "docs", "deleted": 1})
    DeleteResponse.model_validate(response.get_json())
    hits = service.get("/search?q=tea&index=docs").get_json()["hits"]
    assert sorted(hit["doc_id"] for hit in hits) == ["coffee", "milk"]


def test_empty_lists_are_not_an_error() -> None:
    """The counts are 0."""
    service = client()
    assert service.post("/documents", json={"index": INDEX, "documents": []}).get_json()["indexed"] == 0
    assert service.delete("/documents", json={"index": INDEX, "doc_ids": []}).get_json() == {
        "index": INDEX,
        "deleted": 0,
    }


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_unknown_index_returns_404(method: str) -> None:
    """The message names the command that creates an index, and the request creates none."""
    body: dict[str, object] = (
        {"index": "nope", "documents": []} if method == "POST" else {"index": "nope", "doc_ids": []}
    )
    service = client()
    response = service.open("/documents", method=method, json=body)
    message = 'No index "nope" in memory (existing: docs). Create it with rerank-cli ingest CORPUS --index nope.'
    assert (response.status_code, response.get_json()) == (404, error(message, "NotFound"))
    assert [index["name"] for index in service.get("/indexes").get_json()["indexes"]] == ["docs"]


@pytest.mark.parametrize(
    ("documents", "message", "field"),
    [
        ({}, '"documents" must be a list, got an object', "documents"),
        ([7], '"documents[0]" must be an object, got 7', "documents[0]"),
        ([WATER, {"text": "x"}], '"documents[1].doc_id" is required', "documents[1].doc_id"),
        ([{"doc_id": 7, "text": "x"}], '"documents[0].doc_id" must be a string, got 7', "documents[0].doc_id"),
        (
            [{"doc_id": "a", "txt": "x"}],
            'unknown key "documents[0].txt". Did you mean "text"?',
            "documents[0].txt",
        ),
        ([WATER] * 1001, '"documents" must have at most 1,000 items, got 1,001', "documents"),
    ],
)
def test_invalid_body_writes_nothing(documents: object, message: str, field: str) -> None:
    """The whole request is validated before the first document is written."""
    service = client()
    response = service.post("/documents", json={"index": INDEX, "documents": documents})
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))
    assert service.get("/indexes").get_json()["indexes"][0]["documents"] == 3


def test_index_of_another_encoder_rejects_documents() -> None:
    """One index never holds vectors of two encoders."""
    response = client(components(encoder=FakeEncoder(name="other"))).post(
        "/documents", json={"index": INDEX, "documents": [WATER]}
    )
    assert (response.status_code, response.get_json()["error_type"]) == (409, "EncoderMismatch")


def test_full_disk_returns_507() -> None:
    """The response has the message of the store."""

    class Full(InMemoryStore):
        def open(self, name: str) -> Index:
            raise StoreFull("no space is left in rerank-data; free some")

    response = client(components(store=Full())).post("/documents", json={"index": INDEX, "documents": [WATER]})
    assert (response.status_code, response.get_json()) == (
        507,
        error("no space is left in rerank-data; free some", "Store"),
    )

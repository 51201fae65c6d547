"""Rules for adding documents to an index."""

from __future__ import annotations

import numpy as np
import pytest

from rerank.core.chunking import Chunker
from rerank.core.document import Document, Passage, RejectedDocument
from rerank.core.errors import CorpusError, EncoderMismatch
from rerank.core.indexing import AddOutcome, Indexer, validated
from rerank.core.protocols import Index, IndexSpec
from tests.fakes import FakeEncoder
from tests.memory_store import InMemoryStore

LONG = Document("long", " ".join(f"word{i}" for i in range(100)), "Head")


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def index(encoder: FakeEncoder) -> Index:
    return InMemoryStore().create("docs", IndexSpec(encoder.identity))


def test_documents_are_stored_with_a_vector_per_passage(index: Index, encoder: FakeEncoder) -> None:
    """The title precedes the text of each passage."""
    outcome = Indexer(index, encoder).add([LONG, Document("short", "Tea is brewed.", "Tea")])
    assert outcome == AddOutcome(indexed=2, passages=len(encoder.encoded))
    assert encoder.encoded[-1] == "Tea Tea is brewed."
    assert all(text.startswith("Head ") for text in encoder.encoded[:-1])
    for text in encoder.encoded:
        best = index.knn(encoder.encode_queries([text])[0], k=1)[0]
        assert best.score == pytest.approx(1, abs=1e-5)
    assert index.fetch(["long", "short"]) == {"long": LONG, "short": Document("short", "Tea is brewed.", "Tea")}


def test_unchanged_documents_are_not_encoded_again(index: Index, encoder: FakeEncoder) -> None:
    """A new title and new metadata change the content hash."""
    indexer = Indexer(index, encoder)
    indexer.add([Document("a", "one"), Document("b", "two"), Document("c", "three")])
    encoder.encoded.clear()
    outcome = indexer.add([Document("a", "one"), Document("b", "two", "new"), Document("c", "three", "", {"n": 1})])
    assert outcome == AddOutcome(indexed=2, passages=2, skipped=1)
    assert encoder.encoded == ["new two", "three"]


@pytest.mark.parametrize("changed", [{"max_tokens": 32}, {"overlap": 4}])
def test_changed_passage_limits_encode_stored_documents_again(
    index: Index, encoder: FakeEncoder, changed: dict[str, int]
) -> None:
    """New limits replace all passages of an unchanged text; equal limits encode nothing."""
    Indexer(index, encoder).add([LONG])
    chunker = Chunker(encoder, **changed)
    encoder.encoded.clear()
    outcome = Indexer(index, encoder, chunker=chunker).add([LONG])
    expected = [passage.headed_text for passage in chunker.passages([LONG])[0]]
    assert outcome == AddOutcome(indexed=1, passages=len(expected))
    assert (encoder.encoded, index.info().passages) == (expected, len(expected))
    assert Indexer(index, encoder, chunker=chunker).add([LONG]) == AddOutcome(skipped=1)


def test_changed_document_replaces_all_its_passages(index: Index, encoder: FakeEncoder) -> None:
    """No passage of the longer text remains."""
    indexer = Indexer(index, encoder)
    indexer.add([LONG])
    indexer.add([Document("long", "short now")])
    assert index.info().passages == 1
    assert index.match("word99", k=10) == []


def test_last_document_of_an_id_is_stored(index: Index, encoder: FakeEncoder) -> None:
    """The others are counted as duplicates."""
    outcome = Indexer(index, encoder).add([Document("a", "one"), Document("b", "two"), Document("a", "three")])
    assert outcome == AddOutcome(indexed=2, passages=2, duplicates=1)
    assert index.fetch(["a"]) == {"a": Document("a", "three")}


def test_invalid_document_does_not_stop_the_batch(index: Index, encoder: FakeEncoder) -> None:
    """Rejections of the validation and of the store are reported with reasons."""
    indexer = Indexer(index, encoder)
    indexer.add([Document("first", "one", "", {"year": 1999})])
    outcome = indexer.add(
        [Document("blank", " "), Document("good", "two"), Document("late", "three", "", {"year": "soon"})]
    )
    assert outcome == AddOutcome(
        indexed=1,
        passages=1,
        rejected=(
            RejectedDocument("blank", "text and title are both blank. Set at least one of them"),
            RejectedDocument("late", "metadata field \"year\" has number values in this index, got 'soon'"),
        ),
    )


def test_invalid_document_does_not_replace_a_valid_one_with_its_id(index: Index, encoder: FakeEncoder) -> None:
    """The last valid document is stored."""
    outcome = Indexer(index, encoder).add([Document("a", "one"), Document("a", "")])
    assert (outcome.indexed, outcome.duplicates, len(outcome.rejected)) == (1, 0, 1)
    assert index.fetch(["a"]) == {"a": Document("a", "one")}


def test_empty_batch_calls_neither_encoder_nor_store(index: Index, encoder: FakeEncoder) -> None:
    assert Indexer(index, encoder).add([]) == AddOutcome()


def test_encode_stores_nothing(index: Index, encoder: FakeEncoder) -> None:
    """One batch can be stored while the next one is encoded."""
    indexer = Indexer(index, encoder)
    batch = indexer.encode([Document("a", "one"), LONG])
    assert index.info().documents == 0
    assert batch.documents[0].passages == (Passage("a", 0, "", "one", 0, 3),)
    assert [entry.vectors.shape for entry in batch.documents] == [(1, 64), (len(batch.documents[1].passages), 64)]
    assert np.allclose([np.linalg.norm(row) for entry in batch.documents for row in entry.vectors], 1, atol=1e-5)
    assert indexer.write(batch).indexed == 2
    assert index.info().documents == 2


def test_different_encoder_is_refused(index: Index) -> None:
    """Vectors of different encoders are not comparable."""
    with pytest.raises(EncoderMismatch, match='built with the encoder "fake-encoder"'):
        Indexer(index, FakeEncoder(name="other"))


def test_document_is_normalized_before_it_is_stored() -> None:
    """A space replaces NUL, nulls are removed, and the title replaces a blank text."""
    raw = Document("a", "\0", "t\0", {"m": "x\0", "none": None, "n": 1})  # type: ignore[dict-item]  # values from JSON
    assert validated(raw) == Document("a", "t ", "", {"m": "x ", "n": 1})
    assert validated(validated(raw)) == validated(raw)


@pytest.mark.parametrize(
    "document",
    [
        Document("", "t"),
        Document("é" * 251, "t"),
        Document("\ud800", "t"),
        Document("a", ""),
        Document("a", "t", "\ud800"),
        Document("a", "t", "", {"m": {"deep": 1}}),  # type: ignore[dict-item]  # values from JSON
        Document("a", "t", "", {"m": float("nan")}),
    ],
)
def test_document_that_stores_cannot_contain_is_refused(document: Document) -> None:
    """The same rules apply to ingest runs, to POST /documents and to both stores."""
    with pytest.raises(CorpusError):
        validated(document)


def test_documents_beyond_a_limit_are_rejected_by_name(
    index: Index, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long title or text, and too many passages, reject their document alone."""
    monkeypatch.setattr("rerank.core.chunking.MAX_PASSAGES", 1)
    documents = [
        Document("title", "text", "x" * 2_001),
        Document("text", "x" * 2_000_001),
        Document("passages", LONG.text),
        Document("good", "text", "x" * 2_000),
    ]
    outcome = Indexer(index, encoder).add(documents)
    assert (outcome.indexed, {entry.doc_id: entry.reason for entry in outcome.rejected}) == (
        1,
        {
            "title": "the title must have at most 2,000 characters, got 2,001. Shorten the title, or move it to the "
            "text",
            "text": "the text must have at most 2,000,000 characters, got 2,000,001. Split the document, for "
            "example by chapter",
            "passages": "a document must have at most 2,000 passages. Split the document, for example by chapter",
        },
    )
    assert index.content_hashes([document.doc_id for document in documents]).keys() == {"good"}


def test_large_requests_are_written_in_parts(
    index: Index, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is that of one write, so that memory does not limit the number of documents."""
    monkeypatch.setattr("rerank.core.indexing.WRITE_CHARS", 10)
    Indexer(index, encoder).add([Document("same", "unchanged")])
    documents = [Document(str(i % 4), f"text number {i}") for i in range(6)]
    outcome = Indexer(index, encoder).add([*documents, Document("same", "unchanged"), Document("bad", " ")])
    assert (outcome.indexed, outcome.passages, outcome.skipped, outcome.duplicates) == (4, 4, 1, 2)
    assert [entry.doc_id for entry in outcome.rejected] == ["bad"]
    assert {doc_id: document.text for doc_id, document in index.fetch(["0", "1", "2", "3"]).items()} == {
        "0": "text number 4",
        "1": "text number 5",
        "2": "text number 2",
        "3": "text number 3",
    }

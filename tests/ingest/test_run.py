"""Tests of a complete ingest run."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.document import Document
from rerank.core.errors import CorpusError, EncoderMismatch, IndexNotFound, InvalidIndexName, RerankError
from rerank.ingest.record import RecordFields, RejectedRecord
from rerank.ingest.run import IngestOptions, ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, counts, numbered, outcome, write_corpus
from tests.memory_store import InMemoryStore

CONFLICT = "metadata field \"year\" has number values in this index, got 'soon'"


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


def test_the_first_run_publishes_an_index(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """The index contains the documents as they were read."""
    corpus = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "title": "T", "text": "one " * 200, "year": 1999}])
    report = ingest([corpus], store=store, encoder=encoder, name=NAME)
    assert (report.index, report.indexed, report.passages) == (NAME, 1, 5)
    assert report.seconds > 0
    assert report.documents_per_second == report.indexed / report.seconds
    assert list(report.to_json()) == [
        "index",
        "indexed",
        "passages",
        "skipped",
        "rejected",
        "duplicates",
        "seconds",
        "documents_per_second",
    ]
    index = store.open(NAME)
    assert index.fetch(["a"]) == {"a": Document("a", "one " * 200, "T", {"year": 1999})}
    assert (index.info().documents, index.info().passages, index.info().building) == (1, 5, False)


def test_second_run_encodes_nothing(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """A second run of the same corpus skips every document."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(1000))
    assert counts(store, encoder, corpus) == outcome(1000)
    encoder.encoded.clear()
    assert counts(store, encoder, corpus) == outcome(0, skipped=1000)
    assert encoder.encoded == []
    assert store.open(NAME).info().documents == 1000


def test_last_record_of_a_duplicate_id_wins(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """The records can be in the same file or in two files; a second run encodes nothing."""
    first = write_corpus(tmp_path / "c.jsonl", [*numbered(700), {"_id": "5", "text": "newer"}, {"_id": 5, "text": ""}])
    second = write_corpus(tmp_path / "d.jsonl", [{"_id": "6", "text": "other file"}])
    assert counts(store, encoder, first, second) == outcome(700, duplicates=2, rejected=1)
    assert store.open(NAME).fetch(["5", "6"]) == {"5": Document("5", "newer"), "6": Document("6", "other file")}
    encoder.encoded.clear()
    assert counts(store, encoder, first, second) == outcome(0, skipped=700, duplicates=2, rejected=1)
    assert encoder.encoded == []


def test_later_run_updates_in_place(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """Changed documents are replaced, new ones added, and documents that are not in the corpus are kept."""
    counts(store, encoder, write_corpus(tmp_path / "c.jsonl", numbered(3)))
    encoder.encoded.clear()
    records = [{"_id": "1", "text": "document number 1"}, {"_id": "2", "text": "changed"}, {"_id": "new", "text": "n"}]
    assert counts(store, encoder, write_corpus(tmp_path / "c.jsonl", records)) == outcome(2, skipped=1)
    assert encoder.encoded == ["changed", "n"]
    assert {key: one.text for key, one in store.open(NAME).fetch(["0", "1", "2", "new"]).items()} == {
        "0": "document number 0",
        "1": "document number 1",
        "2": "changed",
        "new": "n",
    }


def test_restart_builds_a_new_index(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """The new index contains only documents of the corpus, and can use another encoder."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(3))
    counts(store, encoder, corpus)
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(2))
    other = FakeEncoder(name="other")
    with pytest.raises(EncoderMismatch):
        counts(store, other, corpus)
    assert counts(store, other, corpus, options=IngestOptions(restart=True)) == outcome(2)
    assert store.open(NAME).info().documents == 2
    assert store.open(NAME).spec.encoder == other.identity


def test_rejected_records_are_listed(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """Invalid records and records that the store refuses are listed with file, line and reason."""
    corpus = write_corpus(
        tmp_path / "c.jsonl",
        ["not JSON", {"_id": "a", "text": "x", "year": 1}, {"text": "x"}, {"_id": "b", "text": "x", "year": "soon"}],
    )
    rejects = tmp_path / "rejects.jsonl"
    expected = [
        RejectedRecord(corpus, 1, "not valid JSON: Expecting value at column 1"),
        RejectedRecord(corpus, 3, 'field "_id" is missing. Each record must have a unique id'),
        RejectedRecord(corpus, 4, CONFLICT, "b"),
    ]
    for indexed in (1, 0):
        options = IngestOptions(rejects=rejects)
        report = ingest([corpus], store=store, encoder=encoder, name=NAME, options=options)
        assert (report.indexed, report.skipped, report.rejected) == (indexed, 1 - indexed, 3)
        assert list(report.examples) == expected
        assert [json.loads(line) for line in rejects.read_text().splitlines()] == [one.to_json() for one in expected]


def test_corpus_without_a_valid_record_changes_nothing(
    store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path
) -> None:
    """No empty index is published, with or without --restart, and the live one is unchanged."""
    counts(store, encoder, write_corpus(tmp_path / "good.jsonl", numbered(2)))
    empty = write_corpus(tmp_path / "empty.jsonl", ["", " "])
    bad = write_corpus(tmp_path / "bad.jsonl", ["nonsense", "{}"])
    rejects = tmp_path / "rejects.jsonl"
    for restart in (False, True):
        options = IngestOptions(restart=restart, rejects=rejects)
        with pytest.raises(CorpusError, match=r"empty\.jsonl has no records"):
            counts(store, encoder, empty, options=options)
        with pytest.raises(CorpusError, match=r"all 2 records are invalid.*bad\.jsonl:1: not valid JSON"):
            counts(store, encoder, bad, options=options)
        assert len(rejects.read_text().splitlines()) == 2
    assert store.unfinished(NAME) is None
    assert store.open(NAME).info().documents == 2
    with pytest.raises(IndexNotFound):
        store.open("other")


def test_index_without_documents_is_not_published(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """If the store rejects every document, the live index is kept."""
    counts(store, encoder, write_corpus(tmp_path / "a.jsonl", numbered(1)))
    corpus = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "x", "m": [1, "one"]}])
    with pytest.raises(CorpusError, match="was not published because every document was rejected"):
        counts(store, encoder, corpus, options=IngestOptions(restart=True))
    assert store.open(NAME).info().documents == 1


def test_dry_run_reports_the_outcome_of_a_run(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """A dry run encodes and writes nothing, before the first run and after it."""
    records: list[Mapping[str, object] | str] = [
        *numbered(2),
        {"_id": "0", "text": "word " * 100},
        "not JSON",
        {"_id": "y", "text": "x", "year": 1},
        {"_id": "z", "text": "x", "year": "soon"},
    ]
    corpus = write_corpus(tmp_path / "c.jsonl", records)
    rejects = tmp_path / "rejects.jsonl"
    dry = IngestOptions(dry_run=True, rejects=rejects)
    assert counts(store, encoder, corpus, options=dry) == outcome(3, passages=4, duplicates=1, rejected=2)
    assert [json.loads(line)["reason"] for line in rejects.read_text().splitlines()][1] == CONFLICT
    assert (encoder.encoded, store.indexes(), store.unfinished(NAME)) == ([], [], None)
    assert counts(store, encoder, corpus) == outcome(3, passages=4, duplicates=1, rejected=2)
    assert counts(store, encoder, corpus, options=dry) == outcome(0, skipped=3, duplicates=1, rejected=2)
    again = IngestOptions(dry_run=True, restart=True)
    assert counts(store, encoder, corpus, options=again) == outcome(3, passages=4, duplicates=1, rejected=2)


def test_stdin_is_a_corpus(store: InMemoryStore, encoder: FakeEncoder) -> None:
    """Stdin can be compressed and have duplicate ids; a second run encodes nothing."""
    lines = b'{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n{"_id": "a", "text": "three"}\n'
    for indexed in (2, 0):
        stdin = io.BytesIO(gzip.compress(lines))
        report = ingest(["-"], store=store, encoder=encoder, name=NAME, stdin=stdin)
        assert (report.indexed, report.skipped, report.duplicates) == (indexed, 2 - indexed, 1)


def test_fields_can_be_renamed_and_dropped(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """A corpus can have other column names and unneeded columns."""
    path = tmp_path / "c.csv"
    path.write_text("key,body,noise,year\na,Tea.,x,1999\n")
    fields = RecordFields(id="key", text="body", dropped=frozenset({"noise"}))
    counts(store, encoder, str(path), options=IngestOptions(fields=fields))
    assert store.open(NAME).fetch(["a"]) == {"a": Document("a", "Tea.", "", {"year": "1999"})}


def test_invalid_target_is_refused_before_the_corpus_is_read(
    store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path
) -> None:
    """Reading can take minutes; the rejects file of an earlier run is not overwritten either."""
    corpus = write_corpus(tmp_path / "c.jsonl", ["nonsense"])
    rejects = tmp_path / "rejects.jsonl"
    rejects.write_text("earlier")
    with pytest.raises(InvalidIndexName):
        ingest([corpus], store=store, encoder=encoder, name="Bad Name", options=IngestOptions(rejects=rejects))
    assert rejects.read_text() == "earlier"


def test_rejects_file_must_not_be_the_corpus(store: InMemoryStore, encoder: FakeEncoder, tmp_path: Path) -> None:
    """The rule also holds for a link to the corpus."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(1))
    (tmp_path / "link").symlink_to(corpus)
    with pytest.raises(CorpusError, match="--rejects must not name a corpus file"):
        counts(store, encoder, corpus, options=IngestOptions(rejects=tmp_path / "link"))
    assert counts(store, encoder, corpus) == outcome(1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [b'{"_id":"a","text":"x","m":1}', b'{"_id":"a","text":"y"}', b'{"_id":"b","text":"z","m":"w"}']
        ),
        max_size=8,
    ),
    suffix=st.sampled_from([".jsonl", ".csv", ".tsv"]),
    packed=st.booleans(),
)
def test_any_corpus_is_indexed_or_raises_a_rerank_error(
    tmp_path: Path, data: list[bytes], suffix: str, packed: bool
) -> None:
    """Every record is counted once; no input raises another error."""
    header = {".jsonl": b"", ".csv": b"_id,text\n", ".tsv": b"_id\ttext\n"}[suffix]
    content = header + b"\n".join(data)
    path = tmp_path / f"c{suffix}"
    path.write_bytes(gzip.compress(content) if packed else content)
    store, encoder = InMemoryStore(), FakeEncoder()
    try:
        report = ingest([str(path)], store=store, encoder=encoder, name=NAME)
    except RerankError:
        return
    again = ingest([str(path)], store=store, encoder=encoder, name=NAME)
    assert report.indexed == store.open(NAME).info().documents == again.skipped
    assert (again.indexed, again.rejected, again.duplicates) == (0, report.rejected, report.duplicates)

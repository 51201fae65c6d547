"""Contract of a store: the tests that every store passes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.bound_filter import bind
from rerank.core.document import Document, EncodedDocument, MetadataValue, Passage, RejectedDocument
from rerank.core.errors import EncoderMismatch, IndexConflict, IndexNotFound, InvalidIndexName, StoreTimeout
from rerank.core.filters import MAX_CLAUSES, MAX_DEPTH, MAX_VALUES, Filter, parse_filter
from rerank.core.metadata import MAX_FIELDS, MAX_LIST_VALUES, FieldType, MetadataSchema
from rerank.core.protocols import Index, IndexInfo, IndexSpec, Store
from tests.fakes import FakeEncoder
from tests.reference_filter import passes

ENCODER = FakeEncoder(dim=32)
VISIBLE_WITHIN_SECONDS = 2.0


def encoded(doc_id: str, *texts: str, title: str = "", **metadata: MetadataValue) -> EncodedDocument:
    """Returns a document with one passage for each of *texts*."""
    return with_metadata(doc_id, *texts, title=title, metadata=metadata)


def with_metadata(doc_id: str, *texts: str, title: str = "", metadata: Mapping[str, MetadataValue]) -> EncodedDocument:
    """Returns a document like encoded(), for metadata names that are not Python identifiers."""
    full_text, passages = " ".join(texts), []
    start = 0
    for ordinal, text in enumerate(texts):
        passages.append(Passage(doc_id, ordinal, title, text, start, start + len(text)))
        start += len(text) + 1
    document = Document(doc_id, full_text, title, metadata)
    vectors = FakeEncoder(dim=32).encode_documents([passage.headed_text for passage in passages])
    return EncodedDocument(document, tuple(passages), vectors, document.content_hash())


def ids(index: Index, query: str, **options: object) -> list[str]:
    """Returns the ids of a vector search, best first."""
    vector = ENCODER.encode_queries([query])[0]
    return [match.passage.doc_id for match in index.knn(vector, **options)]  # type: ignore[arg-type]


METADATA: dict[str, dict[str, MetadataValue]] = {
    "italian": {"lang": "it", "year": 1999, "tags": ["news", "sport"], "ok": True, "when": "2020-02-29"},
    "english": {"lang": "en", "year": 2001.5, "tags": ["news"], "ok": False, "when": "2020-03-01T10:00:00Z"},
    "several": {"lang": ["it", "en"], "year": [1990, 2010], "when": ["2019-01-01", "2021-12-31"]},
    "quoted": {"lang": 'o\'clock "x" \\ % _ *', "tags": ["a b", "100%", "d.e*"]},
    "accents": {"lang": "perché", "tags": ["Ünïcode", "日本", ""]},
    "negative": {"year": -5, "ok": True, "when": "1969-12-31T23:59:59.999Z"},
    "empty": {},
    "odd names": {"a b": "x", "dotted.name": "y", "Select": "z", "quo'te": "w"},
    "large": {"year": 1e300, "lang": "itx"},
}

FIELDS = {
    **dict.fromkeys(["lang", "tags", "a b", "dotted.name", "Select", "quo'te"], FieldType.STRING),
    "year": FieldType.NUMBER,
    "ok": FieldType.BOOLEAN,
    "when": FieldType.DATE,
}

CLAUSES: list[dict[str, object]] = [
    {"term": {"metadata.lang": "it"}},
    {"term": {"metadata.lang": "IT"}},
    {"terms": {"metadata.tags": ["news", "100%"]}},
    {"term": {"metadata.tags": ""}},
    {"term": {"metadata.lang": 'o\'clock "x" \\ % _ *'}},
    {"term": {"metadata.lang": "' OR true --"}},
    {"term": {"metadata.year": 1999}},
    {"term": {"metadata.year": "1999"}},
    {"term": {"metadata.ok": True}},
    {"term": {"metadata.ok": "false"}},
    {"term": {"metadata.when": "2020-02-29"}},
    {"range": {"metadata.year": {"gte": 1999, "lt": 2002}}},
    {"range": {"metadata.year": {"gt": 1995, "lt": 1998}}},
    {"range": {"metadata.year": {"gt": 1e10}}},
    {"range": {"metadata.year": {"lte": -5}}},
    {"range": {"metadata.when": {"gte": "2020-02-29", "lte": "2020-03-01"}}},
    {"range": {"metadata.when": {"gt": "2020-02-29"}}},
    {"range": {"metadata.when": {"lt": "1970-01-01"}}},
    {"range": {"metadata.lang": {"gte": "it", "lt": "iu"}}},
    {"exists": {"field": "metadata.year"}},
    {"exists": {"field": "metadata.nowhere"}},
    {"prefix": {"metadata.lang": "it"}},
    {"prefix": {"metadata.tags": "100%"}},
    {"prefix": {"metadata.tags": "d.e*"}},
    {"term": {"metadata.a b": "x"}},
    {"term": {"metadata.dotted.name": "y"}},
    {"term": {"metadata.quo'te": "w"}},
    {"term": {"metadata.nowhere": "x"}},
    {"terms": {"metadata.lang": []}},
    {"range": {"metadata.year": {"gte": 2**40}}},
    {"term": {"metadata.year": 2**70}},
    {"bool": {}},
    {"bool": {"should": []}},
    {"bool": {"should": [], "minimum_should_match": 1}},
    {"bool": {"should": [{"term": {"metadata.lang": "it"}}], "minimum_should_match": 2**40}},
    {"bool": {"must_not": [{"bool": {"should": [], "minimum_should_match": 2}}]}},
    {"bool": {"must_not": [{"term": {"metadata.nowhere": "x"}}]}},
    {"bool": {"must_not": [{"exists": {"field": "metadata.lang"}}]}},
    {"bool": {"must": [{"term": {"metadata.lang": "it"}}], "must_not": [{"term": {"metadata.ok": True}}]}},
    {"bool": {"should": [{"term": {"metadata.lang": "en"}}, {"term": {"metadata.year": -5}}]}},
    {"bool": {"filter": [{"term": {"metadata.lang": "it"}}], "should": [{"term": {"metadata.lang": "en"}}]}},
    {
        "bool": {
            "should": [
                {"term": {"metadata.lang": "it"}},
                {"term": {"metadata.lang": "en"}},
                {"term": {"metadata.ok": True}},
            ],
            "minimum_should_match": 2,
        }
    },
]

_FIELD_VALUES: dict[str, list[object]] = {
    "lang": ["it", "en", "perché", "zz"],
    "tags": ["news", "sport", "a b"],
    "year": [1999, 2001.5, -5, 1990, 0],
}
_leaves = st.one_of(
    st.sampled_from(sorted(_FIELD_VALUES)).flatmap(
        lambda name: st.builds(
            lambda value: {"term": {f"metadata.{name}": value}}, st.sampled_from(_FIELD_VALUES[name])
        )
    ),
    st.builds(
        lambda low, high: {"range": {"metadata.year": {"gte": low, "lte": high}}},
        st.integers(-10, 2020),
        st.integers(-10, 2020),
    ),
    st.builds(lambda name: {"exists": {"field": f"metadata.{name}"}}, st.sampled_from(["lang", "year", "nowhere"])),
    st.builds(lambda text: {"prefix": {"metadata.lang": text}}, st.sampled_from(["i", "it", "e", "o'"])),
)
_clauses: st.SearchStrategy[dict[str, object]] = st.recursive(
    _leaves,
    lambda inner: st.builds(
        lambda **parts: {"bool": {name: part for name, part in parts.items() if part}},
        must=st.lists(inner, max_size=2),
        must_not=st.lists(inner, max_size=2),
        should=st.lists(inner, max_size=3),
        filter=st.lists(inner, max_size=1),
    ),
    max_leaves=6,
)


WIDE: dict[str, MetadataValue] = {
    "lang": [f"w{i}" for i in range(MAX_LIST_VALUES)],
    "year": [3000 + 2 * i for i in range(MAX_LIST_VALUES)],
    "when": [f"{1000 + i}-06-15T12:00:00Z" for i in range(100)],
}
"""Metadata with long lists."""

_VARIED: list[dict[str, object]] = [
    {"term": {"metadata.lang": "it"}},
    {"prefix": {"metadata.lang": "w9"}},
    {"range": {"metadata.year": {"gt": 3000, "lt": 3004}}},
    {"range": {"metadata.when": {"gte": "1100-01-01", "lt": "1101-01-01"}}},
    {"exists": {"field": "metadata.tags"}},
    {"terms": {"metadata.year": [1999, 2001.5, 4998]}},
]


def _varied(count: int) -> list[dict[str, object]]:
    return [_VARIED[i % len(_VARIED)] for i in range(count)]


def _nested(depth: int, **others: object) -> dict[str, object]:
    """Returns bool clauses in the should clauses of each other, each with the *others*."""
    clause = _VARIED[0]
    for _ in range(depth):
        clause = {"bool": {**others, "should": [clause, *_varied(12)]}}
    return clause


def _negated(depth: int) -> dict[str, object]:
    clause = _VARIED[0]
    for _ in range(depth):
        clause = {"bool": {"must_not": [clause], "filter": _varied(1)}}
    return clause


LARGEST_FILTERS: dict[str, dict[str, object]] = {
    "should": {"bool": {"should": _varied(MAX_CLAUSES - 1)}},
    "minimum_should_match": {"bool": {"should": _varied(MAX_CLAUSES - 1), "minimum_should_match": 250}},
    "must": {"bool": {"must": _varied(MAX_CLAUSES - 1)}},
    "must_not": {"bool": {"must_not": _varied(MAX_CLAUSES - 1)}},
    "ranges": {"bool": {"must": [_VARIED[2]] * (MAX_CLAUSES - 1)}},
    "nested": _nested(MAX_DEPTH, must=_varied(6)),
    "nested minimum_should_match": _nested(MAX_DEPTH, filter=_varied(4), minimum_should_match=5),
    "negated": _negated(MAX_DEPTH),
    "strings": {"terms": {"metadata.lang": ["", *(f"w{i}" for i in range(MAX_VALUES - 1))]}},
    "numbers": {"terms": {"metadata.year": list(range(MAX_VALUES))}},
    "instants": {"terms": {"metadata.when": [f"{1000 + i // 12}-{i % 12 + 1:02}-15T12:00:00Z" for i in range(9_000)]}},
    "days": {"terms": {"metadata.when": [f"{1000 + i}-06-15" for i in range(MAX_CLAUSES - 1)]}},
}


class StoreContract:
    """Tests of a store. A subclass provides the fixture `connect`, whose calls open the store like other processes."""

    @pytest.fixture
    def store(self, connect: Callable[[], Store]) -> Iterator[Store]:
        store = connect()
        yield store
        store.close()

    @pytest.fixture
    def name(self, store: Store) -> Iterator[str]:
        """Yields an index name that no other test uses, and deletes the index after the test."""
        name = f"t{uuid.uuid4().hex[:12]}"
        yield name
        if store.unfinished(name) or name in {info.name for info in store.indexes()}:
            store.delete(name)

    @pytest.fixture
    def index(self, store: Store, name: str) -> Index:
        """Returns an empty, published index."""
        index = store.create(name, IndexSpec(ENCODER.identity))
        store.publish(index)
        return store.open(name)

    @pytest.fixture
    def filled(self, index: Index) -> Index:
        """Returns an index with the documents of METADATA."""
        documents = [
            with_metadata(doc_id, f"common words of {doc_id}", metadata=data) for doc_id, data in METADATA.items()
        ]
        assert index.upsert(documents) == []
        index.refresh()
        return index

    def test_fetch_returns_documents_as_written(self, index: Index) -> None:
        """All characters and metadata values are kept."""
        single = encoded(
            "a/b c#1", "l'unico passaggio 😀\n\tשלום", title="Titolo", n=1, f=1.0, when="2020-01-01", tags=["x"]
        )
        long = encoded("long", "first part", "second part", "third part", title="")
        index.upsert([single, long])
        index.refresh()
        assert index.fetch(["a/b c#1", "long", "none"]) == {"a/b c#1": single.document, "long": long.document}
        assert index.content_hashes(["long", "none"]) == {"long": long.content_hash}
        assert (index.info().documents, index.info().passages) == (2, 4)

    def test_metadata_types_are_kept(self, index: Index) -> None:
        """Integers, floats, booleans and date strings are returned as written."""
        written = encoded("a", "text", n=3, f=3.0, b=True, d="2020-01-01T00:00:00+02:00", e=[1, 2])
        index.upsert([written])
        index.refresh()
        metadata = index.fetch(["a"])["a"].metadata
        assert {key: (type(value), value) for key, value in metadata.items()} == {
            key: (type(value), value) for key, value in written.document.metadata.items()
        }

    def test_upsert_replaces_all_passages(self, index: Index) -> None:
        """Searches find no passage of the previous version."""
        index.upsert([encoded("a", "alpha one", "beta two", "gamma three"), encoded("b", "beta other")])
        index.upsert([encoded("a", "delta only")])
        index.refresh()
        assert index.info().passages == 2
        assert [match.passage.doc_id for match in index.match("gamma alpha", k=5)] == []
        assert [match.passage.passage_id for match in index.match("delta", k=5)] == ["a#0"]
        assert ids(index, "gamma three", k=5, exact=True).count("a") == 1

    def test_delete_returns_the_number_of_documents(self, filled: Index) -> None:
        """Missing and repeated ids do not count, and searches do not return deleted documents."""
        assert filled.delete(["italian", "missing", "italian"]) == 1
        filled.refresh()
        assert "italian" not in ids(filled, "common words of italian", k=20)
        assert filled.fetch(["italian"]) == {}
        assert filled.delete(["italian"]) == 0

    @pytest.mark.parametrize("exact", [False, True])
    def test_vector_search_score_is_the_cosine(self, filled: Index, exact: bool) -> None:
        """Scores are cosines in [-1, 1], independent of the server's scale, best first."""
        query = ENCODER.encode_queries(["common words of english"])[0]
        found = filled.knn(query, k=20, exact=exact)
        expected = {
            doc_id: float(ENCODER.encode_documents([f"common words of {doc_id}"])[0] @ query) for doc_id in METADATA
        }
        assert {match.passage.doc_id: match.score for match in found} == pytest.approx(expected, abs=1e-4)
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
        assert found[0].passage.doc_id == "english"

    def test_document_is_returned_once_with_its_best_passage(self, index: Index) -> None:
        """k counts documents, not passages."""
        index.upsert([encoded("many", *(f"topic number {i}" for i in range(12))), encoded("one", "topic number 7 x")])
        index.upsert([encoded("other", "unrelated matter entirely")])
        index.refresh()
        for found in (
            index.knn(ENCODER.encode_queries(["topic number 7"])[0], k=2),
            index.match("topic 7", k=2),
        ):
            assert {match.passage.doc_id for match in found} == {"many", "one"}
        best = {match.passage.doc_id: match.passage for match in index.match("topic 7", k=5)}
        assert best["many"].text == "topic number 7"
        assert (best["many"].ordinal, best["many"].start, best["many"].end) == (7, 105, 119)

    def test_equal_scores_are_ordered_by_document_id(self, index: Index) -> None:
        """The rule holds for vector and text search."""
        index.upsert([encoded(doc_id, "the same words") for doc_id in ("c", "a", "d", "b")])
        index.refresh()
        assert ids(index, "same words", k=4) == ["a", "b", "c", "d"]
        assert [match.passage.doc_id for match in index.match("same", k=4)] == ["a", "b", "c", "d"]

    def test_text_search_matches_any_word_of_text_and_title(self, index: Index) -> None:
        """One word in the title or the text is enough. More words and rarer words rank higher."""
        index.upsert(
            [
                encoded("title", "nothing here", title="Zebra crossing"),
                encoded("text", "a zebra and a lion"),
                encoded("none", "a tiger"),
            ]
        )
        index.refresh()
        assert {match.passage.doc_id for match in index.match("ZEBRA elephant", k=5)} == {"title", "text"}
        assert index.match("zebra lion", k=5)[0].passage.doc_id == "text"
        assert all(match.score >= 0 for match in index.match("zebra", k=5))

    @pytest.mark.parametrize("query", ["zebra AND lion", 'field:"zebra"', "zebra* ~2 (", "a\\zebra/[x TO y]"])
    def test_query_syntax_is_plain_text(self, index: Index, query: str) -> None:
        """Operators of query languages have no effect."""
        index.upsert([encoded("text", "a zebra")])
        index.refresh()
        assert [match.passage.doc_id for match in index.match(query, k=5)] == ["text"]

    @pytest.mark.parametrize("query", ["!!! ... ?", " ", "()"])
    def test_query_without_words_has_no_results(self, filled: Index, query: str) -> None:
        """Punctuation matches no document and is not an error."""
        assert filled.match(query, k=5) == []

    def test_query_of_ten_thousand_words_is_accepted(self, filled: Index) -> None:
        """The first words of a long query are searched."""
        query = "english " + " ".join(f"word{i}" for i in range(10_000))
        assert [match.passage.doc_id for match in filled.match(query, k=5)] == ["english"]

    def test_text_of_one_megabyte_is_stored(self, index: Index) -> None:
        """A long text is returned completely, and its last word is found."""
        text = "word " * 200_000 + "lastone"
        index.upsert([encoded("big", text)])
        index.refresh()
        assert index.fetch(["big"])["big"].text == text
        assert [match.passage.doc_id for match in index.match("lastone", k=1)] == ["big"]

    def test_empty_index_is_searchable(self, index: Index) -> None:
        """An index without documents returns no results and no error."""
        assert (ids(index, "anything", k=3), index.match("anything", k=3), index.fetch(["a"])) == ([], [], {})
        index.optimize()
        assert index.upsert([]) == []

    @pytest.mark.parametrize("clause", CLAUSES, ids=str)
    def test_filter_selects_the_same_documents_as_the_reference(self, filled: Index, clause: dict[str, object]) -> None:
        """Every clause has the same meaning on every store."""
        assert self.selected(filled, parse_filter(clause)) == expected(parse_filter(clause))

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(clause=_clauses)
    def test_any_filter_selects_the_same_documents_as_the_reference(
        self, filled: Index, clause: dict[str, object]
    ) -> None:
        """Every combination of clauses has the same meaning on every store."""
        assert self.selected(filled, parse_filter(clause)) == expected(parse_filter(clause))

    def selected(self, index: Index, clause: Filter) -> set[str]:
        """Returns the documents that the searches return with *clause*. All searches must return the same ones."""
        by_vector = set(ids(index, "common words", k=20, filter=clause))
        assert {match.passage.doc_id for match in index.match("common words", k=20, filter=clause)} == by_vector
        assert set(ids(index, "common words", k=20, filter=clause, exact=True)) == by_vector
        return by_vector

    @pytest.mark.parametrize("shape", LARGEST_FILTERS)
    def test_largest_filters_select_the_same_documents_as_the_reference(self, filled: Index, shape: str) -> None:
        """A filter at the limits of clauses, nesting and values neither fails nor ends the process."""
        filled.upsert([with_metadata("wide", "common words of wide", metadata=WIDE)])
        filled.refresh()
        clause = parse_filter(LARGEST_FILTERS[shape])
        assert self.selected(filled, clause) == expected(clause, {**METADATA, "wide": WIDE})

    @pytest.mark.parametrize(
        ("bounds", "passes"),
        [
            ({"gt": 1, "lt": 5}, False),
            ({"gte": 1, "lt": 5}, True),
            ({"gt": 1, "lte": 5}, True),
            ({"gt": 1, "gte": 5, "lte": 9, "lt": 6}, True),
            ({"gt": 5, "lt": 9}, False),
            ({"gte": 9, "lte": 9}, True),
            ({"gt": 9}, False),
            ({"lt": 1}, False),
            ({"gte": 0.0, "lte": 0}, True),
        ],
    )
    def test_one_value_of_a_list_is_within_both_bounds(
        self, index: Index, bounds: dict[str, float], passes: bool
    ) -> None:
        """A range matches a list if one of its values is within all bounds. 0 and -0.0 are equal."""
        index.upsert([encoded("a", "words", n=[5, 9, 1, 9, -0.0] if passes else [5, 9, 1, 9])])
        index.refresh()
        clause = parse_filter({"range": {"metadata.n": bounds}})
        assert ids(index, "words", k=5, filter=clause) == (["a"] if passes else [])

    def test_filter_applies_before_the_k_nearest_are_selected(self, index: Index) -> None:
        """A search returns the k nearest documents that pass the filter."""
        index.upsert([encoded(f"near{i:02}", "exactly this topic", kind="near") for i in range(30)])
        index.upsert([encoded("far", "something else", kind="far")])
        index.refresh()
        far = parse_filter({"term": {"metadata.kind": "far"}})
        assert ids(index, "exactly this topic", k=1, filter=far) == ["far"]

    def test_document_with_conflicting_metadata_is_rejected_alone(self, filled: Index) -> None:
        """The first value sets the type of a field. A later value of another type rejects only its document."""
        rejected = filled.upsert([encoded("bad", "text", year="not a number"), encoded("good", "text", year=3)])
        filled.refresh()
        assert [entry.doc_id for entry in rejected] == ["bad"]
        assert "year" in rejected[0].reason
        assert set(filled.fetch(["bad", "good"])) == {"good"}

    def test_document_beyond_the_limit_of_fields_is_rejected_alone(self, index: Index) -> None:
        """An index has at most MAX_FIELDS metadata fields; the reason names the first field beyond the limit."""
        fields: dict[str, MetadataValue] = {f"f{i}": "x" for i in range(MAX_FIELDS)}
        assert index.upsert([with_metadata("a", "text", metadata=fields)]) == []
        rejected = index.upsert([encoded("b", "text", one_more=1), encoded("c", "text", f0="y")])
        index.refresh()
        assert [entry.doc_id for entry in rejected] == ["b"]
        assert '"one_more": an index must have at most 500 metadata fields' in rejected[0].reason
        assert set(index.fetch(["a", "b", "c"])) == {"a", "c"}
        assert ids(index, "text", k=5, filter=parse_filter({"term": {"metadata.f0": "y"}})) == ["c"]

    @pytest.mark.parametrize("doc_id", ["", " ", "x" * 600, "a\0b"])
    def test_id_that_no_document_can_have_is_missing(self, filled: Index, doc_id: str) -> None:
        """Reads and deletions treat the id like that of a missing document."""
        assert filled.delete([doc_id]) == 0
        assert filled.content_hashes([doc_id, "empty"]).keys() == {"empty"}
        assert filled.fetch([doc_id, "empty"]).keys() == {"empty"}
        assert filled.delete([doc_id, "empty"]) == 1

    def test_long_equal_texts_are_readable(self, index: Index) -> None:
        """Long documents with equal texts and metadata do not prevent reads of their neighbours."""
        parts = [f"{i} " + "word " * 150 for i in range(1_300)]
        documents = [encoded(f"long{i}", *parts, note="x" * 500_000) for i in range(2)]
        index.upsert([encoded("short", "a zebra"), *documents])
        index.refresh()
        index.optimize()
        assert index.fetch(["short", "long0"]) == {
            "short": encoded("short", "a zebra").document,
            "long0": documents[0].document,
        }
        assert [match.passage.doc_id for match in index.match("zebra", k=2)] == ["short"]
        assert index.content_hashes(["long1"]) == {"long1": documents[1].content_hash}

    def test_vectors_of_another_length_are_refused(self, index: Index) -> None:
        """A write or a search with a vector of another length raises EncoderMismatch."""
        wrong = encoded("a", "text")
        wrong = EncodedDocument(wrong.document, wrong.passages, np.ones((1, 7), np.float32), wrong.content_hash)
        with pytest.raises(EncoderMismatch, match="7"):
            index.upsert([wrong])
        with pytest.raises(EncoderMismatch, match="7"):
            index.knn(np.ones(7, np.float32), k=1)

    def test_zero_query_vector_has_no_results(self, filled: Index) -> None:
        """A zero vector has no cosine with any vector."""
        assert filled.knn(np.zeros(32, np.float32), k=5) == []

    def test_unknown_index_raises_index_not_found(self, store: Store, index: Index) -> None:
        """The error lists the existing indexes."""
        with pytest.raises(IndexNotFound, match=index.name):
            store.open("no-such-index")
        with pytest.raises(IndexNotFound, match="no-such-index"):
            store.delete("no-such-index")

    @pytest.mark.parametrize("bad", ["", "Upper", "_x", "-x", "+x", "a b", "a,b", "a*", "a/b", "..", "x" * 300])
    def test_invalid_index_name_is_refused(self, store: Store, bad: str) -> None:
        """Every store refuses names that OpenSearch refuses."""
        with pytest.raises(InvalidIndexName):
            store.open(bad)
        with pytest.raises(InvalidIndexName):
            store.create(bad, IndexSpec(ENCODER.identity))

    def test_generation_is_invisible_until_published(self, store: Store, name: str) -> None:
        """An unpublished generation is neither listed nor opened. unfinished() returns it with its spec."""
        spec = IndexSpec(ENCODER.identity, analyzer="italian", run_key="run 1")
        building = store.create(name, spec)
        building.upsert([encoded("a", "text")])
        building.refresh()
        assert name not in {info.name for info in store.indexes()}
        with pytest.raises(IndexNotFound):
            store.open(name)
        unfinished = store.unfinished(name)
        assert unfinished is not None
        assert (set(unfinished[0].content_hashes(["a"])), unfinished[1]) == ({"a"}, spec)
        assert building.info().building
        store.publish(building)
        assert store.unfinished(name) is None
        assert store.open(name).spec == spec
        assert name in {info.name for info in store.indexes()}

    def test_publish_replaces_the_live_generation(self, store: Store, filled: Index, name: str) -> None:
        """Searches use the live generation until the next one is published. A second publish does nothing."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("new", "common words")])
        rebuilt.refresh()
        assert store.open(name).info().documents == len(METADATA)
        store.publish(rebuilt)
        store.publish(rebuilt)
        assert ids(store.open(name), "common words", k=50) == ["new"]

    def test_create_discards_the_unfinished_generation(self, store: Store, name: str) -> None:
        """A second create() starts empty, and the first generation cannot be published."""
        first = store.create(name, IndexSpec(ENCODER.identity))
        first.upsert([encoded("a", "text")])
        second = store.create(name, IndexSpec(ENCODER.identity))
        assert second.content_hashes(["a"]) == {}
        with pytest.raises(IndexConflict):
            store.publish(first)
        store.publish(second)
        assert store.open(name).info().documents == 0

    def test_replaced_generation_cannot_be_published(self, store: Store, filled: Index, name: str) -> None:
        """A generation that another one has replaced cannot become live again."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("new", "common words")])
        store.publish(rebuilt)
        with pytest.raises(IndexConflict):
            store.publish(filled)
        assert ids(store.open(name), "common words", k=50) == ["new"]

    def test_writes_to_a_replaced_generation_are_refused(self, store: Store, filled: Index, name: str) -> None:
        """A write to a generation that a rebuild has replaced would be lost, or have vectors of another encoder."""
        store.publish(store.create(name, IndexSpec(ENCODER.identity)))
        for write in (lambda: filled.upsert([encoded("a", "text")]), lambda: filled.delete(["italian"])):
            with pytest.raises(IndexNotFound):
                write()
        assert store.open(name).info().documents == 0

    def test_changes_during_a_rebuild_are_replayed(
        self, store: Store, filled: Index, name: str, connect: Callable[[], Store]
    ) -> None:
        """Publication replays what any process wrote and deleted, also during the replay, and nothing older."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("italian", "old"), encoded("english", "old"), encoded("corpus", "only here")])
        other = connect()
        live = other.open(name)
        live.upsert([encoded("italian", "new"), encoded("posted", "new")])
        assert live.delete(["english", "missing"]) == 1
        later = [encoded("later", "new")]
        replayed: list[str] = []

        def replay(live: Index, doc_ids: Sequence[str]) -> None:
            replayed.extend(doc_ids)
            documents = live.fetch(doc_ids)
            rebuilt.upsert([encoded(doc_id, document.text) for doc_id, document in documents.items()])
            rebuilt.delete([doc_id for doc_id in doc_ids if doc_id not in documents])
            if later:
                other.open(name).upsert([later.pop()])

        store.publish(rebuilt, replay=replay)
        published = store.open(name)
        texts = {"italian": "new", "posted": "new", "later": "new", "corpus": "only here"}
        found = published.fetch([*texts, "english"])
        assert {doc_id: document.text for doc_id, document in found.items()} == texts
        assert published.info().documents == len(texts)
        # A deletion of a missing document counts: a killed process may have deleted the document without logging it.
        assert set(replayed) == {"italian", "posted", "later", "english", "missing"}
        with pytest.raises(IndexNotFound):
            live.upsert([encoded("lost", "text")])
        assert store.unfinished(name) is None
        other.close()

    def test_failed_replay_keeps_the_live_generation(self, store: Store, filled: Index, name: str) -> None:
        """Writes continue after a failed publication, and the next publication replays all changes."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        filled.upsert([encoded("posted", "new")])
        calls: list[Sequence[str]] = []

        def replay(live: Index, doc_ids: Sequence[str]) -> None:
            calls.append(sorted(doc_ids))
            if len(calls) == 1:
                raise StoreTimeout("failed")
            rebuilt.upsert([encoded(doc_id, "new") for doc_id in doc_ids])

        with pytest.raises(StoreTimeout):
            store.publish(rebuilt, replay=replay)
        store.open(name).upsert([encoded("second", "new")])
        store.publish(rebuilt, replay=replay)
        assert (calls[0], calls[-1]) == (["posted"], ["posted", "second"])
        assert store.open(name).fetch(["posted", "second"]).keys() == {"posted", "second"}

    def test_alias_follows_its_index(self, store: Store, filled: Index, name: str) -> None:
        """An alias opens the index, also after a rebuild. Deleting the alias keeps the index."""
        alias, other = f"{name}-alias", f"{name}-other"
        store.alias(alias, name)
        assert store.open(alias).name == name
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        store.publish(rebuilt)
        assert store.open(alias).info() == store.open(name).info()
        assert {key: value for key, value in store.aliases().items() if value == name} == {alias: name}
        with pytest.raises(IndexConflict):
            store.create(alias, IndexSpec(ENCODER.identity))
        with pytest.raises(IndexConflict):
            store.alias(name, name)
        with pytest.raises(IndexNotFound):
            store.alias(other, "no-such-index")
        store.delete(alias)
        assert name in {info.name for info in store.indexes()}
        with pytest.raises(IndexNotFound):
            store.open(alias)

    def test_info_returns_counts_and_encoder(self, filled: Index, name: str) -> None:
        """Documents and passages are counted separately."""
        info = filled.info()
        assert info == IndexInfo(
            name,
            len(METADATA),
            len(METADATA),
            ENCODER.identity,
            info.created,
            "standard",
            building=False,
            fields=FIELDS,
        )

    def test_writes_of_another_process_are_visible_within_two_seconds(
        self, store: Store, index: Index, connect: Callable[[], Store]
    ) -> None:
        """A search sees documents, new fields and new generations of another process."""
        other = connect()
        assert other.open(index.name).match("zebra", k=1) == []
        index.upsert([encoded("a", "a zebra", colour="striped")])
        striped = parse_filter({"term": {"metadata.colour": "striped"}})
        eventually(
            lambda: [m.passage.doc_id for m in other.open(index.name).match("zebra", k=1, filter=striped)] == ["a"]
        )
        rebuilt = store.create(index.name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("b", "a zebra")])
        rebuilt.refresh()
        store.publish(rebuilt)
        eventually(lambda: [m.passage.doc_id for m in other.open(index.name).match("zebra", k=1)] == ["b"])
        other.close()

    def test_simultaneous_writers_lose_no_document(self, index: Index, connect: Callable[[], Store]) -> None:
        """Three writers, each with its own fields and one shared document, write every document completely."""

        def write(writer: int) -> list[RejectedDocument]:
            own_store, rejected = connect(), []
            own_index = own_store.open(index.name)
            for i in range(5):
                documents = [
                    with_metadata(f"w{writer}-{i}-{j}", f"word{j} text", metadata={f"field{writer}": j})
                    for j in range(5)
                ]
                rejected += own_index.upsert([*documents, encoded("shared", *["same text"] * (writer + 1))])
            own_store.close()
            return rejected

        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(write, range(3))) == [[], [], []]
        index.refresh()
        assert index.info().documents == 3 * 25 + 1
        shared = [match.passage for match in index.match("same", k=10)]
        assert [passage.doc_id for passage in shared] == ["shared"]
        for writer in range(3):
            clause = parse_filter({"exists": {"field": f"metadata.field{writer}"}})
            eventually(lambda clause=clause: len(ids(index, "text", k=100, filter=clause)) == 25)  # type: ignore[misc]

    def test_approximate_search_of_few_documents_is_exact(self, filled: Index) -> None:
        """With few documents, the approximate and the exact search return the same results."""
        filled.optimize()
        assert ids(filled, "common words of large", k=5) == ids(filled, "common words of large", k=5, exact=True)


def expected(clause: Filter, documents: Mapping[str, Mapping[str, MetadataValue]] = METADATA) -> set[str]:
    """Returns the *documents*, metadata by id, that the reference selects."""
    schema = MetadataSchema()
    for metadata in documents.values():
        schema = schema.extended(metadata)
    return {doc_id for doc_id, metadata in documents.items() if passes(bind(clause, schema), metadata)}


def eventually(condition: Callable[[], bool]) -> None:
    """Waits until *condition* is true, at most for VISIBLE_WITHIN_SECONDS."""
    deadline = time.monotonic() + VISIBLE_WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not visible within {VISIBLE_WITHIN_SECONDS:g} s"
        time.sleep(0.05)

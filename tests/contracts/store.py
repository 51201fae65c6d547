"""What every store promises. Each home of documents passes these same tests."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.bound_filter import bind
from rerank.core.document import Document, EncodedDocument, MetadataValue, Passage, RejectedDocument
from rerank.core.errors import EncoderMismatch, IndexConflict, IndexNotFound, InvalidIndexName
from rerank.core.filters import Filter, parse_filter
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import Index, IndexInfo, IndexSpec, Store
from tests.fakes import FakeEncoder
from tests.reference_filter import passes

ENCODER = FakeEncoder(dim=32)
SEEN_WITHIN_SECONDS = 2.0


def encoded(doc_id: str, *texts: str, title: str = "", **metadata: MetadataValue) -> EncodedDocument:
    """A document of as many passages as there are *texts*."""
    return with_metadata(doc_id, *texts, title=title, metadata=metadata)


def with_metadata(doc_id: str, *texts: str, title: str = "", metadata: Mapping[str, MetadataValue]) -> EncodedDocument:
    """As encoded(), for metadata names that are no Python names."""
    whole, passages = " ".join(texts), []
    start = 0
    for ordinal, text in enumerate(texts):
        passages.append(Passage(doc_id, ordinal, title, text, start, start + len(text)))
        start += len(text) + 1
    document = Document(doc_id, whole, title, metadata)
    vectors = FakeEncoder(dim=32).encode_documents([passage.headed_text for passage in passages])
    return EncodedDocument(document, tuple(passages), vectors, document.content_hash())


def ids(index: Index, query: str, **options: object) -> list[str]:
    """The documents that a vector search finds, best first."""
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
    {"bool": {}},
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


class StoreContract:
    """Subclasses give the fixture `connect`: each call opens the same store anew, as another process would."""

    @pytest.fixture
    def store(self, connect: Callable[[], Store]) -> Iterator[Store]:
        store = connect()
        yield store
        store.close()

    @pytest.fixture
    def name(self, store: Store) -> Iterator[str]:
        """An index name that no other test uses, free again afterwards."""
        name = f"t{uuid.uuid4().hex[:12]}"
        yield name
        if store.unfinished(name) or name in {info.name for info in store.indexes()}:
            store.delete(name)

    @pytest.fixture
    def index(self, store: Store, name: str) -> Index:
        """An empty index, published."""
        index = store.create(name, IndexSpec(ENCODER.identity))
        store.publish(index)
        return store.open(name)

    @pytest.fixture
    def filled(self, index: Index) -> Index:
        """An index with the documents of METADATA."""
        documents = [
            with_metadata(doc_id, f"common words of {doc_id}", metadata=data) for doc_id, data in METADATA.items()
        ]
        assert index.upsert(documents) == []
        index.refresh()
        return index

    def test_documents_come_back_as_they_were_written(self, index: Index) -> None:
        """A document is fetched with every character and every metadata value that it had."""
        one = encoded(
            "a/b c#1", "l'unico passaggio 😀\n\tשלום", title="Titolo", n=1, f=1.0, when="2020-01-01", tags=["x"]
        )
        long = encoded("long", "first part", "second part", "third part", title="")
        index.upsert([one, long])
        index.refresh()
        assert index.fetch(["a/b c#1", "long", "none"]) == {"a/b c#1": one.document, "long": long.document}
        assert index.content_hashes(["long", "none"]) == {"long": long.content_hash}
        assert (index.info().documents, index.info().passages) == (2, 4)

    def test_the_type_of_a_metadata_value_survives(self, index: Index) -> None:
        """Whole numbers stay whole, booleans stay booleans, and strings that look like dates stay as written."""
        written = encoded("a", "text", n=3, f=3.0, b=True, d="2020-01-01T00:00:00+02:00", e=[1, 2])
        index.upsert([written])
        index.refresh()
        found = index.fetch(["a"])["a"].metadata
        assert {key: (type(value), value) for key, value in found.items()} == {
            key: (type(value), value) for key, value in written.document.metadata.items()
        }

    def test_a_new_version_replaces_all_passages(self, index: Index) -> None:
        """After an upsert nothing of the document's former passages is found."""
        index.upsert([encoded("a", "alpha one", "beta two", "gamma three"), encoded("b", "beta other")])
        index.upsert([encoded("a", "delta only")])
        index.refresh()
        assert index.info().passages == 2
        assert [match.passage.doc_id for match in index.match("gamma alpha", k=5)] == []
        assert [match.passage.passage_id for match in index.match("delta", k=5)] == ["a#0"]
        assert ids(index, "gamma three", k=5, exact=True).count("a") == 1

    def test_deletion_counts_what_was_there(self, filled: Index) -> None:
        """Deleting says how many documents there were; they are found no more."""
        assert filled.delete(["italian", "nobody", "italian"]) == 1
        filled.refresh()
        assert "italian" not in ids(filled, "common words of italian", k=20)
        assert filled.fetch(["italian"]) == {}
        assert filled.delete(["italian"]) == 0

    @pytest.mark.parametrize("exact", [False, True])
    def test_the_score_of_a_vector_search_is_the_cosine(self, filled: Index, exact: bool) -> None:
        """Scores are cosines in [-1, 1], whatever the server's own scale, best first."""
        query = ENCODER.encode_queries(["common words of english"])[0]
        found = filled.knn(query, k=20, exact=exact)
        expected = {
            doc_id: float(ENCODER.encode_documents([f"common words of {doc_id}"])[0] @ query) for doc_id in METADATA
        }
        assert {match.passage.doc_id: match.score for match in found} == pytest.approx(expected, abs=1e-4)
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
        assert found[0].passage.doc_id == "english"

    def test_a_document_is_found_once_by_its_best_passage(self, index: Index) -> None:
        """k counts documents, however many of their passages match."""
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

    def test_equal_scores_come_in_the_order_of_ids(self, index: Index) -> None:
        """Ties break by document id, in both searches."""
        index.upsert([encoded(doc_id, "the same words") for doc_id in ("c", "a", "d", "b")])
        index.refresh()
        assert ids(index, "same words", k=4) == ["a", "b", "c", "d"]
        assert [match.passage.doc_id for match in index.match("same", k=4)] == ["a", "b", "c", "d"]

    def test_any_word_matches_in_text_and_title(self, index: Index) -> None:
        """A text search needs one of the words, in the title or in the text; more and rarer words rank higher."""
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
    def test_text_is_never_a_query_language(self, index: Index, query: str) -> None:
        """Signs that mean something to a query parser are only text."""
        index.upsert([encoded("text", "a zebra")])
        index.refresh()
        assert [match.passage.doc_id for match in index.match(query, k=5)] == ["text"]

    @pytest.mark.parametrize("query", ["!!! ... ?", " ", "()"])
    def test_a_query_without_words_finds_nothing(self, filled: Index, query: str) -> None:
        """Punctuation matches no document, and is no error."""
        assert filled.match(query, k=5) == []

    def test_a_query_of_ten_thousand_words_is_answered(self, filled: Index) -> None:
        """However long a query is, its first words are looked for."""
        query = "english " + " ".join(f"word{i}" for i in range(10_000))
        assert [match.passage.doc_id for match in filled.match(query, k=5)] == ["english"]

    def test_a_megabyte_of_text_is_kept(self, index: Index) -> None:
        """A long text comes back whole, and its last word is found."""
        text = "word " * 200_000 + "lastone"
        index.upsert([encoded("big", text)])
        index.refresh()
        assert index.fetch(["big"])["big"].text == text
        assert [match.passage.doc_id for match in index.match("lastone", k=1)] == ["big"]

    def test_an_empty_index_answers(self, index: Index) -> None:
        """An index without documents finds nothing, and that is no error."""
        assert (ids(index, "anything", k=3), index.match("anything", k=3), index.fetch(["a"])) == ([], [], {})
        index.optimize()
        assert index.upsert([]) == []

    @pytest.mark.parametrize("clause", CLAUSES, ids=str)
    def test_filters_let_the_same_documents_through(self, filled: Index, clause: dict[str, object]) -> None:
        """Every clause means the same on every store: what the reference says of it."""
        assert self.let_through(filled, parse_filter(clause)) == expected(parse_filter(clause))

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(clause=_clauses)
    def test_any_filter_means_what_the_reference_says(self, filled: Index, clause: dict[str, object]) -> None:
        """However clauses are combined, every store lets the same documents through."""
        assert self.let_through(filled, parse_filter(clause)) == expected(parse_filter(clause))

    def let_through(self, index: Index, clause: Filter) -> set[str]:
        """What both searches find under *clause*, which must be the same."""
        by_vector = set(ids(index, "common words", k=20, filter=clause))
        assert {match.passage.doc_id for match in index.match("common words", k=20, filter=clause)} == by_vector
        assert set(ids(index, "common words", k=20, filter=clause, exact=True)) == by_vector
        return by_vector

    def test_the_filter_holds_before_the_cut(self, index: Index) -> None:
        """The k nearest of those that pass are found, not those that pass of the k nearest."""
        index.upsert([encoded(f"near{i:02}", "exactly this topic", kind="near") for i in range(30)])
        index.upsert([encoded("far", "something else", kind="far")])
        index.refresh()
        far = parse_filter({"term": {"metadata.kind": "far"}})
        assert ids(index, "exactly this topic", k=1, filter=far) == ["far"]

    def test_a_document_that_does_not_fit_is_rejected_alone(self, filled: Index) -> None:
        """A field keeps its first type; a later value of another type rejects its document, not the others."""
        rejected = filled.upsert([encoded("bad", "text", year="not a number"), encoded("good", "text", year=3)])
        filled.refresh()
        assert [entry.doc_id for entry in rejected] == ["bad"]
        assert "year" in rejected[0].reason
        assert set(filled.fetch(["bad", "good"])) == {"good"}

    def test_vectors_of_another_length_are_refused(self, index: Index) -> None:
        """An index holds vectors of one length; others raise EncoderMismatch, written or searched."""
        wrong = encoded("a", "text")
        wrong = EncodedDocument(wrong.document, wrong.passages, np.ones((1, 7), np.float32), wrong.content_hash)
        with pytest.raises(EncoderMismatch, match="7"):
            index.upsert([wrong])
        with pytest.raises(EncoderMismatch, match="7"):
            index.knn(np.ones(7, np.float32), k=1)

    def test_a_vector_without_a_direction_is_near_to_nothing(self, filled: Index) -> None:
        """A query of zeros has no cosine with anything: nothing is found, and no score is nan."""
        assert filled.knn(np.zeros(32, np.float32), k=5) == []

    def test_an_unknown_name_is_told_with_the_known_ones(self, store: Store, index: Index) -> None:
        """Opening or deleting what is not there raises IndexNotFound, which names what is."""
        with pytest.raises(IndexNotFound, match=index.name):
            store.open("no-such-index")
        with pytest.raises(IndexNotFound, match="no-such-index"):
            store.delete("no-such-index")

    @pytest.mark.parametrize("bad", ["", "Upper", "_x", "-x", "+x", "a b", "a,b", "a*", "a/b", "..", "x" * 300])
    def test_names_follow_opensearch_rule(self, store: Store, bad: str) -> None:
        """A name that OpenSearch would refuse is refused by every store."""
        with pytest.raises(InvalidIndexName):
            store.open(bad)
        with pytest.raises(InvalidIndexName):
            store.create(bad, IndexSpec(ENCODER.identity))

    def test_a_generation_is_invisible_until_published(self, store: Store, name: str) -> None:
        """What is being built is not listed and not opened; unfinished() finds it again, with its spec."""
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

    def test_a_rebuild_swaps_in_one_step(self, store: Store, filled: Index, name: str) -> None:
        """The live generation answers until the next one is published, which then answers alone."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("new", "common words")])
        rebuilt.refresh()
        assert store.open(name).info().documents == len(METADATA)
        store.publish(rebuilt)
        store.publish(rebuilt)
        assert ids(store.open(name), "common words", k=50) == ["new"]

    def test_beginning_anew_throws_the_unfinished_away(self, store: Store, name: str) -> None:
        """A second create() leaves nothing of the first; what was begun by the first cannot be published."""
        first = store.create(name, IndexSpec(ENCODER.identity))
        first.upsert([encoded("a", "text")])
        second = store.create(name, IndexSpec(ENCODER.identity))
        assert second.content_hashes(["a"]) == {}
        with pytest.raises(IndexConflict):
            store.publish(first)
        store.publish(second)
        assert store.open(name).info().documents == 0

    def test_a_replaced_generation_cannot_come_back(self, store: Store, filled: Index, name: str) -> None:
        """A generation in whose place another one was published is thrown away: publishing it again is refused."""
        rebuilt = store.create(name, IndexSpec(ENCODER.identity))
        rebuilt.upsert([encoded("new", "common words")])
        store.publish(rebuilt)
        with pytest.raises(IndexConflict):
            store.publish(filled)
        assert ids(store.open(name), "common words", k=50) == ["new"]

    def test_an_alias_follows_its_index(self, store: Store, filled: Index, name: str) -> None:
        """An alias leads to the index, also after a rebuild, and goes with it; deleting it leaves the index."""
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

    def test_info_says_what_the_index_is(self, filled: Index, name: str) -> None:
        """Counts and the encoder's identity."""
        info = filled.info()
        assert info == IndexInfo(
            name, len(METADATA), len(METADATA), ENCODER.identity, info.created, "standard", building=False
        )

    def test_what_another_writes_is_seen_within_two_seconds(
        self, store: Store, index: Index, connect: Callable[[], Store]
    ) -> None:
        """A process that searches sees documents, new fields and new generations of another one."""
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

    def test_two_writers_lose_nothing(self, index: Index, connect: Callable[[], Store]) -> None:
        """Writers at once, each with fields of its own and one document in common, leave every document whole."""

        def write(writer: int) -> list[RejectedDocument]:
            own, rejected = connect(), []
            mine = own.open(index.name)
            for i in range(5):
                documents = [
                    with_metadata(f"w{writer}-{i}-{j}", f"word{j} text", metadata={f"field{writer}": j})
                    for j in range(5)
                ]
                rejected += mine.upsert([*documents, encoded("shared", *["same text"] * (writer + 1))])
            own.close()
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

    def test_approximate_and_exact_agree_on_little(self, filled: Index) -> None:
        """With few documents the approximate search finds what the exact one does."""
        filled.optimize()
        assert ids(filled, "common words of large", k=5) == ids(filled, "common words of large", k=5, exact=True)


def expected(clause: Filter) -> set[str]:
    """The documents of METADATA that the reference lets through."""
    schema = MetadataSchema()
    for metadata in METADATA.values():
        schema = schema.extended(metadata)
    return {doc_id for doc_id, metadata in METADATA.items() if passes(bind(clause, schema), metadata)}


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until *holds*, for at most the time within which stores promise to show what others wrote."""
    gives_up_at = time.monotonic() + SEEN_WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < gives_up_at, "not seen within two seconds"
        time.sleep(0.05)

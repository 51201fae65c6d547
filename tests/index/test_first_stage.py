"""Quality of approximate vector search on real texts, on all stores."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank.core.document import Document
from rerank.core.evaluation import measure
from rerank.core.indexing import Indexer
from rerank.core.judgments import Dataset, JudgedQuery
from rerank.core.orders import ScoredDocument
from rerank.core.protocols import Index, IndexSpec, Store
from rerank.index.embedded import EmbeddedStore
from rerank.index.opening import open_store
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).resolve().parents[2] / "cli" / "demo" / "corpus.jsonl.gz"
QUERIES = 100
TOLERANCE = 0.01

ENCODER = FakeEncoder(dim=96, max_tokens=48)


def documents() -> list[Document]:
    """Returns the help pages of the demo, in English and Italian."""
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return [Document(row["_id"], row["text"], row["title"]) for row in map(json.loads, lines)]


def judged(pages: list[Document]) -> Dataset:
    """Returns the first lines of Italian pages as queries; the page and its English version are relevant."""
    italian = [page for page in pages if page.doc_id.startswith("pages.it/")][::5][:QUERIES]
    queries = tuple(
        JudgedQuery(
            page.doc_id,
            page.text.partition("\n")[0],
            {page.doc_id: 2, page.doc_id.replace("pages.it/", "pages/"): 1},
        )
        for page in italian
    )
    return Dataset("demo", "test", queries, len(queries))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Store]:
    """Yields an embedded store with a vector graph from 1,000 passages."""
    store = EmbeddedStore(tmp_path / "store", approximate_from=1_000)
    yield store
    store.close()


@pytest.fixture
def opensearch(opensearch_url: str) -> Iterator[Store]:
    store = open_store(opensearch_url)
    yield store
    store.close()


@pytest.fixture
def elasticsearch(elasticsearch_url: str) -> Iterator[Store]:
    store = open_store(elasticsearch_url)
    yield store
    store.close()


@pytest.mark.parametrize("fixture", ["embedded", "opensearch", "elasticsearch"])
def test_approximate_search_is_as_good_as_exact_search(fixture: str, request: pytest.FixtureRequest) -> None:
    """The nDCG@10 of both differs by at most .01, and 97% of the 100 nearest documents are the same."""
    store: Store = request.getfixturevalue(fixture)
    name = f"t{uuid.uuid4().hex[:12]}"
    pages = documents()
    index = store.create(name, IndexSpec(ENCODER.identity))
    try:
        Indexer(index, ENCODER).add(pages)
        index.refresh()
        index.optimize()
        dataset = judged(pages)
        exact, approximate = (rankings(index, dataset, exact=exact) for exact in (True, False))
        difference = measure(dataset, exact)["nDCG@10"].mean() - measure(dataset, approximate)["nDCG@10"].mean()
        assert abs(difference) <= TOLERANCE
        shared = [{hit.doc_id for hit in exact[query]} & {hit.doc_id for hit in approximate[query]} for query in exact]
        assert sum(map(len, shared)) >= 0.97 * sum(map(len, exact.values()))
    finally:
        store.delete(name)


def rankings(index: Index, dataset: Dataset, *, exact: bool) -> dict[str, list[ScoredDocument]]:
    """Returns the 100 nearest documents of each query."""
    vectors = ENCODER.encode_queries([query.text for query in dataset.queries])
    return {
        query.query_id: [
            ScoredDocument(match.passage.doc_id, match.score) for match in index.knn(vector, k=100, exact=exact)
        ]
        for query, vector in zip(dataset.queries, vectors, strict=True)
    }

"""Tests of the embedded store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rerank.core.document import Document, EncodedDocument, Passage
from rerank.core.errors import IndexNotFound, StoreError, StoreUnavailable
from rerank.core.protocols import EncoderIdentity, IndexSpec, Store
from rerank.index.embedded import EmbeddedStore
from rerank.index.opening import open_store
from tests.contracts.store import StoreContract

SPEC = IndexSpec(EncoderIdentity("e", "f", 2))


def entry(doc_id: str) -> EncodedDocument:
    """Returns a document with one passage and a vector of length 2."""
    passage = Passage(doc_id, 0, "", "text", 0, 4)
    return EncodedDocument(Document(doc_id, "text"), (passage,), np.array([[1, 0]], dtype=np.float32), "hash")


class TestEmbeddedStore(StoreContract):
    """Contract tests of the embedded store."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: EmbeddedStore(tmp_path / "store")


def test_missing_folder_is_created(tmp_path: Path) -> None:
    """The setting `store` can name a folder that does not exist yet."""
    store = open_store(str(tmp_path / "a" / "b"))
    assert store.indexes() == []
    assert (tmp_path / "a" / "b").is_dir()


def test_relative_folder_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store reports its absolute path, and keeps it when the working directory changes."""
    monkeypatch.chdir(tmp_path)
    assert open_store("store").location == str(tmp_path / "store")


def test_file_as_store_is_refused(tmp_path: Path) -> None:
    """The error names the fix."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match=r"file is not usable as a store: .* Set store to a writable folder\."):
        open_store(str(tmp_path / "file"))


def test_invalid_catalog_is_reported(tmp_path: Path) -> None:
    """A catalog of another program raises StoreError with the name of the file."""
    store = EmbeddedStore(tmp_path)
    (tmp_path / "catalog.json").write_text(json.dumps({"something": "else"}))
    with pytest.raises(StoreError, match=r"catalog\.json is not a valid catalog"):
        store.indexes()


def test_catalog_of_another_layout_is_refused(tmp_path: Path) -> None:
    """Data of an incompatible version is not read; the error says how to continue."""
    EmbeddedStore(tmp_path).create("docs", SPEC)
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "layout": 1}))
    with pytest.raises(StoreError, match=r"must have layout 2, got 1\..*Ingest the corpora into a new folder"):
        EmbeddedStore(tmp_path).indexes()


def test_ping_without_the_folder_fails(tmp_path: Path) -> None:
    """A ping raises StoreUnavailable after the folder was deleted."""
    store = EmbeddedStore(tmp_path / "store")
    store.ping()
    (tmp_path / "store").rmdir()
    with pytest.raises(StoreUnavailable, match="was deleted"):
        store.ping()


def test_approximate_search_matches_exact_search(tmp_path: Path) -> None:
    """With a vector graph, at least 98% of the exact results are found, also of documents written after the build."""
    dim, count = 24, 11_000
    random = np.random.default_rng(7)
    vectors = random.standard_normal((count, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = EmbeddedStore(tmp_path)
    index = store.create("many", IndexSpec(EncoderIdentity("e", "f", dim)))

    def document(i: int) -> EncodedDocument:
        passage = Passage(str(i), 0, "", f"text {i}", 0, len(f"text {i}"))
        return EncodedDocument(Document(str(i), f"text {i}"), (passage,), vectors[i : i + 1], "")

    index.upsert([document(i) for i in range(count - 100)])
    index.optimize()
    index.upsert([document(i) for i in range(count - 100, count)])
    overlaps = []
    for query in vectors[-20:]:
        exact = [match.passage.doc_id for match in index.knn(query, k=100, exact=True)]
        approximate = [match.passage.doc_id for match in index.knn(query, k=100)]
        assert approximate[0] == exact[0]
        overlaps.append(len(set(exact) & set(approximate)) / 100)
    assert np.mean(overlaps) >= 0.98


def test_replaced_generation_refuses_writes(tmp_path: Path) -> None:
    """Readers can use a replaced generation, but a write to it would be lost."""
    store = EmbeddedStore(tmp_path)
    replaced = store.create("docs", SPEC)
    replaced.upsert([entry("a")])
    store.publish(replaced)
    store.publish(store.create("docs", SPEC))
    assert replaced.fetch(["a"]) == {"a": Document("a", "text")}
    for write in (lambda: replaced.upsert([entry("a")]), lambda: replaced.delete(["a"]), replaced.optimize):
        with pytest.raises(IndexNotFound, match="was rebuilt by another run"):
            write()


def test_deleted_generation_raises_index_not_found(tmp_path: Path) -> None:
    """A run that reads a generation which another run has deleted gets IndexNotFound, so that it can restart."""
    store = EmbeddedStore(tmp_path)
    store.create("docs", SPEC).upsert([entry("a")])
    # A second store has no rows of the table in memory.
    unfinished = EmbeddedStore(tmp_path).unfinished("docs")
    assert unfinished is not None
    store.create("docs", SPEC)
    with pytest.raises(IndexNotFound, match="was deleted or rebuilt"):
        unfinished[0].content_hashes(["a"])


def test_search_prints_nothing(tmp_path: Path) -> None:
    """LanceDB writes warnings directly to stderr, and a search causes none."""
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from rerank.core.protocols import IndexSpec\n"
        "from rerank.index.embedded import EmbeddedStore\n"
        "from tests.contracts.store import ENCODER, encoded\n"
        "index = EmbeddedStore(Path(sys.argv[1])).create('docs', IndexSpec(ENCODER.identity))\n"
        "index.upsert([encoded('a', 'a zebra')])\n"
        "index.optimize()\n"
        "print(len(index.knn(ENCODER.encode_queries(['zebra'])[0], k=1)), len(index.match('zebra', k=1)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("1 1\n", "")

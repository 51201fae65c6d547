"""The embedded store: the contract, and what is its own."""

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


class TestEmbeddedStore(StoreContract):
    """Passes the contract."""

    @pytest.fixture
    def connect(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: EmbeddedStore(tmp_path / "store")


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    """The setting `store` names a folder; it need not be there."""
    store = open_store(str(tmp_path / "a" / "b"))
    assert store.indexes() == []
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_is_no_store(tmp_path: Path) -> None:
    """A store that cannot be one is told at once, with the way out."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match="set the store to a folder"):
        open_store(str(tmp_path / "file"))


def test_a_damaged_catalog_is_told(tmp_path: Path) -> None:
    """A catalog that is not ours raises StoreError that names the file."""
    store = EmbeddedStore(tmp_path)
    (tmp_path / "catalog.json").write_text(json.dumps({"something": "else"}))
    with pytest.raises(StoreError, match=r"catalog\.json"):
        store.indexes()


def test_a_folder_of_another_layout_is_told(tmp_path: Path) -> None:
    """What another version of the product wrote is not misread: the message says so, and the way out."""
    EmbeddedStore(tmp_path).create("docs", IndexSpec(EncoderIdentity("e", "f", 2)))
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "layout": 1}))
    with pytest.raises(StoreError, match=r"another version of this product.*ingest your corpora into a new folder"):
        EmbeddedStore(tmp_path).indexes()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """A ping fails when the folder has been taken away."""
    store = EmbeddedStore(tmp_path / "store")
    store.ping()
    (tmp_path / "store").rmdir()
    with pytest.raises(StoreUnavailable, match="gone"):
        store.ping()


def test_an_approximate_index_finds_what_the_exact_search_does(tmp_path: Path) -> None:
    """From ten thousand passages on a graph is searched: nearly all of the exact answers are found, also of documents
    that were written after it was built."""
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
    found = []
    for query in vectors[-20:]:
        exact = [match.passage.doc_id for match in index.knn(query, k=100, exact=True)]
        near = [match.passage.doc_id for match in index.knn(query, k=100)]
        assert near[0] == exact[0]
        found.append(len(set(exact) & set(near)) / 100)
    assert np.mean(found) >= 0.98


def test_a_generation_that_was_replaced_takes_no_more_writes(tmp_path: Path) -> None:
    """Readers may finish with it; a write to it would be lost without a word."""
    store = EmbeddedStore(tmp_path)
    spec = IndexSpec(EncoderIdentity("e", "f", 2))
    entry = EncodedDocument(
        Document("a", "text"), (Passage("a", 0, "", "text", 0, 4),), np.array([[1, 0]], dtype=np.float32), "hash"
    )
    old = store.create("docs", spec)
    old.upsert([entry])
    store.publish(old)
    store.publish(store.create("docs", spec))
    assert old.fetch(["a"]) == {"a": Document("a", "text")}
    for write in (lambda: old.upsert([entry]), lambda: old.delete(["a"]), old.optimize):
        with pytest.raises(IndexNotFound, match="built anew by another run"):
            write()


def test_a_generation_whose_files_went_is_gone_to_readers_too(tmp_path: Path) -> None:
    """A run that looks at what is written, while another one begins anew, is told that, and can begin anew itself."""
    store, spec = EmbeddedStore(tmp_path), IndexSpec(EncoderIdentity("e", "f", 2))
    old = store.create("docs", spec)
    old.upsert(
        [EncodedDocument(Document("a", "t"), (Passage("a", 0, "", "t", 0, 1),), np.array([[1, 0]], np.float32), "h")]
    )
    # Nothing of it is in this reader's memory yet.
    unfinished = EmbeddedStore(tmp_path).unfinished("docs")
    assert unfinished is not None
    store.create("docs", spec)
    with pytest.raises(IndexNotFound, match="is gone; open the index again"):
        unfinished[0].content_hashes(["a"])


def test_a_search_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    """LanceDB's own warnings go to stderr past Python's logs: a search leaves it empty."""
    search = (
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
    ran = subprocess.run([sys.executable, "-c", search, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("1 1\n", "")

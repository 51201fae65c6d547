"""Tests of the embedded store."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rerank.core.document import Document, EncodedDocument, Passage
from rerank.core.errors import IndexNotFound, StoreError, StoreFull, StoreUnavailable
from rerank.core.protocols import EncoderIdentity, IndexSpec, Store
from rerank.index.embedded import EmbeddedStore
from rerank.index.embedded.index import EmbeddedIndex
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


def published(folder: Path, *names: str) -> EmbeddedStore:
    """Returns a store with published indexes of one document."""
    store = EmbeddedStore(folder)
    for name in names:
        index = store.create(name, SPEC)
        index.upsert([entry("a")])
        store.publish(index)
    return store


def test_folder_that_disappears_is_unavailable(tmp_path: Path) -> None:
    """Requests to a store whose folder was deleted fail as unavailable, not as if there were no index."""
    store = published(tmp_path / "store", "docs")
    shutil.rmtree(tmp_path / "store")
    for request in (store.indexes, store.aliases, lambda: store.open("docs"), lambda: store.create("new", SPEC)):
        with pytest.raises(StoreUnavailable, match="was deleted"):
            request()


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"layout": 2, "generations": {}}'])
def test_damaged_catalog_is_reported_and_repaired(tmp_path: Path, content: bytes | None) -> None:
    """The error lists the tables and the command that repairs the catalog with all its indexes and aliases."""
    store = published(tmp_path, "docs", "other")
    store.alias("alias", "docs")
    file = tmp_path / "catalog.json"
    file.unlink() if content is None else file.write_bytes(content)
    table = next(path.stem for path in tmp_path.glob("*.lance"))
    with pytest.raises(StoreError, match=rf"{table}.*doctor --repair"):
        EmbeddedStore(tmp_path).open("docs")
    repair = EmbeddedStore(tmp_path).repair()
    assert (repair.indexes, repair.left_out) == (("docs", "other"), ())
    repaired = EmbeddedStore(tmp_path)
    assert repaired.open("alias").fetch(["a"]) == {"a": Document("a", "text")}
    assert [info.documents for info in repaired.indexes()] == [1, 1]


def test_index_without_its_table_is_left_out_of_the_listing_and_of_the_repair(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The other indexes stay usable, and the broken one can be deleted."""
    store = published(tmp_path, "broken", "docs")
    broken = store.open("broken")
    assert isinstance(broken, EmbeddedIndex)
    store.alias("alias", "broken")
    shutil.rmtree(tmp_path / f"{broken.table_name}.lance")
    assert [info.name for info in EmbeddedStore(tmp_path).indexes()] == ["docs"]
    assert "index unreadable index=broken" in caplog.text
    repair = EmbeddedStore(tmp_path).repair()
    assert repair.indexes == ("docs",)
    assert [line.partition(":")[0] for line in repair.left_out] == [f'{broken.table_name} of index "broken"']
    assert EmbeddedStore(tmp_path).aliases() == {}


def test_full_disk_leaves_no_table_without_entry_and_an_index_can_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed creation deletes its table. A deletion frees space before it writes the catalog."""
    store = published(tmp_path, "docs", "other")
    tables = set(tmp_path.glob("*.lance"))
    replace_file = Path.replace

    def full(path: Path, target: Path) -> Path:
        if len(set(tmp_path.glob("*.lance"))) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreFull):
        store.create("new", SPEC)
    assert set(tmp_path.glob("*.lance")) == tables
    store.delete("docs")
    assert [info.name for info in store.indexes()] == ["other"]
    assert len(list(tmp_path.glob("*.lance"))) == 1
    assert list(tmp_path.glob("catalog.json.*")) == []

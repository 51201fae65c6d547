"""Tests of interrupted runs, store failures and simultaneous runs: no written document is lost or encoded twice."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Barrier, Thread

import pytest

from rerank.core.document import Document, Vectors
from rerank.core.errors import IndexNotFound, RerankError, StoreFull, StoreUnavailable
from rerank.core.indexing import Indexer
from rerank.core.protocols import IndexSpec
from rerank.core.retry import RetryPolicy
from rerank.ingest.progress import LineProgress
from rerank.ingest.run import RESUME_HINT, IngestOptions, ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, counts, numbered, outcome, write_corpus
from tests.ingest.hooked_store import Hook, HookedStore

CONFLICTING: list[dict[str, object]] = [
    {"_id": "x", "text": "x", "year": 1},
    {"_id": "y", "text": "y", "year": "soon"},
]
TWO_RETRIES = RetryPolicy(first=0, longest=0, retries=2)
RESTART = IngestOptions(restart=True)


@pytest.fixture
def store() -> HookedStore:
    return HookedStore()


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    return write_corpus(tmp_path / "c.jsonl", numbered(1000))


def failing(step: str, error: RerankError, *, after: int = 0, times: int = 1_000_000) -> Hook:
    """Returns a hook that raises *error* at *step*: *times* times, after the first *after* calls."""
    calls = 0

    def before(current: str) -> None:
        nonlocal calls
        if current == step:
            calls += 1
            if after < calls <= after + times:
                raise error

    return before


def at_upload(number: int, action: Callable[[], object]) -> Hook:
    """Returns a hook that runs *action* before upload *number*, counted from 0, as another process might."""
    uploads = 0
    done = False

    def before(step: str) -> None:
        nonlocal uploads, done
        if step == "upsert" and not done:
            done = uploads == number
            uploads += 1
            if done:
                action()

    return before


def stop(store: HookedStore, encoder: FakeEncoder, corpus: str, options: IngestOptions) -> int:
    """Runs until the store is full after two batches, and returns the number of written documents."""
    store.before = failing("upsert", StoreFull("no space left"), after=2)
    with pytest.raises(StoreFull, match=f"no space left. {RESUME_HINT}"):
        ingest([corpus], store=store, encoder=encoder, name=NAME, options=options)
    store.before = lambda step: None
    unfinished = store.unfinished(NAME)
    assert unfinished is not None
    encoder.encoded.clear()
    return unfinished[0].info().documents


def test_interrupted_first_run_is_resumed(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """The same command skips the written documents, encodes the others once, and publishes."""
    written = stop(store, encoder, corpus, IngestOptions())
    assert store.indexes() == []
    assert written == 64 + 128
    assert counts(store, encoder, corpus) == outcome(1000 - written, skipped=written)
    assert len(encoder.encoded) == 1000 - written
    assert store.open(NAME).info().documents == 1000


def test_interrupted_restart_is_resumed(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """The live index stays searchable, and the same command resumes the new generation."""
    counts(store, encoder, corpus)
    written = stop(store, encoder, corpus, RESTART)
    assert store.open(NAME).info().documents == 1000
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000 - written, skipped=written)
    encoder.encoded.clear()
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000)


def test_interrupted_restart_of_another_corpus_is_discarded(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """A restarted index contains only documents of its own corpus."""
    stop(store, encoder, corpus, RESTART)
    os.utime(corpus, ns=(1, 1))
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000)


def test_run_resumes_an_interrupted_restart_without_live_index(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """Written documents are not encoded again, with or without --restart."""
    written = stop(store, encoder, corpus, RESTART)
    assert counts(store, encoder, corpus) == outcome(1000 - written, skipped=written)


@pytest.mark.parametrize(
    ("other", "options"),
    [
        (FakeEncoder(name="other"), IngestOptions()),
        (FakeEncoder(), IngestOptions(analyzer="italian")),
        (FakeEncoder(), IngestOptions(engine="faiss")),
    ],
)
def test_unfinished_generation_of_other_settings_is_not_resumed(
    store: HookedStore, encoder: FakeEncoder, corpus: str, other: FakeEncoder, options: IngestOptions
) -> None:
    """The encoder, the analyzer and the engine of an index are fixed at creation."""
    stop(store, encoder, corpus, IngestOptions())
    assert counts(store, other, corpus, options=options) == outcome(1000)
    spec = store.open(NAME).spec
    assert (spec.encoder, spec.analyzer, spec.engine) == (other.identity, options.analyzer, options.engine)


@pytest.mark.parametrize("step", ["content_hashes", "upsert", "refresh", "optimize", "publish", "create"])
def test_unavailable_store_is_retried(store: HookedStore, encoder: FakeEncoder, corpus: str, step: str) -> None:
    """Every step is retried and reported, and no document is encoded twice."""
    store.before = failing(step, StoreUnavailable("cannot connect"), times=2)
    shown = io.StringIO()
    options = IngestOptions(store_retries=TWO_RETRIES)
    report = ingest([corpus], store=store, encoder=encoder, name=NAME, options=options, progress=LineProgress(shown))
    assert report.indexed == 1000
    assert len(encoder.encoded) == 1000
    assert shown.getvalue().count("cannot connect. Retrying in 0 s.\n") == 2
    assert store.open(NAME).info().documents == 1000


@pytest.mark.parametrize("step", ["content_hashes", "upsert", "refresh", "optimize", "publish"])
def test_store_that_stays_unavailable_ends_the_run(
    store: HookedStore, encoder: FakeEncoder, corpus: str, step: str
) -> None:
    """After the retries, the error says how to resume; the resumed run succeeds."""
    store.before = failing(step, StoreUnavailable("cannot connect"))
    with pytest.raises(StoreUnavailable, match=f"cannot connect. {RESUME_HINT}"):
        counts(store, encoder, corpus, options=IngestOptions(store_retries=TWO_RETRIES))
    store.before = lambda step: None
    counts(store, encoder, corpus)
    assert store.open(NAME).info().documents == 1000


def test_store_that_is_unavailable_at_the_start_is_not_retried(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """Before the first write, an error is reported at once."""
    store.before = failing("open", StoreUnavailable("cannot connect"), times=1)
    with pytest.raises(StoreUnavailable, match=r"^cannot connect$"):
        counts(store, encoder, corpus)


class InterruptedEncoder(FakeEncoder):
    """Encoder that gets Ctrl-C in its third batch."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupts = True
        self._batches = 0

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self._batches += 1
        if self.interrupts and self._batches == 3:
            raise KeyboardInterrupt
        return super().encode_documents(texts)


def test_interrupt_keeps_written_documents(store: HookedStore, corpus: str) -> None:
    """The message says how to resume."""
    encoder = InterruptedEncoder()
    with pytest.raises(KeyboardInterrupt, match=f"Interrupted. {RESUME_HINT}"):
        counts(store, encoder, corpus)
    unfinished = store.unfinished(NAME)
    written = 0 if unfinished is None else unfinished[0].info().documents
    assert written <= 64 + 128
    encoder.interrupts = False
    assert counts(store, encoder, corpus) == outcome(1000 - written, skipped=written)


@pytest.mark.parametrize("interrupted", [False, True])
def test_restart_keeps_what_other_writers_changed_meanwhile(
    store: HookedStore, encoder: FakeEncoder, corpus: str, interrupted: bool
) -> None:
    """Documents that are posted or deleted during a rebuild keep their last content, also if it is resumed."""
    counts(store, encoder, corpus)

    def post() -> None:
        live = store.open(NAME)
        Indexer(live, FakeEncoder()).add([Document("5", "posted"), Document("new", "posted")])
        live.delete(["6"])

    if interrupted:
        stop(store, encoder, corpus, RESTART)
        post()
    else:
        store.before = at_upload(3, post)
    assert counts(store, encoder, corpus, options=RESTART)["rejected"] == 0
    published = store.open(NAME)
    assert {doc_id: document.text for doc_id, document in published.fetch(["5", "6", "new"]).items()} == {
        "5": "posted",
        "new": "posted",
    }
    assert published.info().documents == 1000


def test_change_that_the_new_index_refuses_is_reported(
    store: HookedStore, encoder: FakeEncoder, tmp_path: Path
) -> None:
    """A document whose metadata has another type in the new index is counted as rejected, with its id."""
    counts(store, encoder, write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "a", "year": "x"}]))
    corpus = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "a", "year": 5}])
    rejects = tmp_path / "rejects.jsonl"
    store.before = at_upload(
        0, lambda: Indexer(store.open(NAME), FakeEncoder()).add([Document("posted", "b", metadata={"year": "y"})])
    )
    options = IngestOptions(restart=True, rejects=rejects)
    assert counts(store, encoder, corpus, options=options) == outcome(1, rejected=1)
    assert '"doc_id": "posted"' in rejects.read_text()


@pytest.mark.parametrize("uploads", [0, 3])
def test_run_follows_a_restart_by_another_run(
    store: HookedStore, encoder: FakeEncoder, tmp_path: Path, uploads: int
) -> None:
    """If another run creates a new generation, this run writes all documents to that one."""
    store.before = at_upload(uploads, lambda: store.create(NAME, IndexSpec(encoder.identity)))
    corpus = write_corpus(tmp_path / "c.jsonl", [*CONFLICTING, *numbered(1000), "nonsense"])
    rejects = tmp_path / "rejects.jsonl"
    expected = outcome(1001, rejected=2)
    assert counts(store, encoder, corpus, options=IngestOptions(rejects=rejects)) == expected
    assert len(rejects.read_text().splitlines()) == 2
    assert store.open(NAME).info().documents == 1001


def test_run_does_not_replace_an_index_published_meanwhile(
    store: HookedStore, encoder: FakeEncoder, corpus: str, tmp_path: Path
) -> None:
    """Without --restart, a run adds to the published index."""
    other = write_corpus(tmp_path / "other.jsonl", numbered(10, start=5000))

    def other_run() -> None:
        counts(store, FakeEncoder(), other)
        store.create(NAME, IndexSpec(encoder.identity))

    store.before = at_upload(3, other_run)
    assert counts(store, encoder, corpus)["rejected"] == 0
    assert store.open(NAME).info().documents == 1010


def test_run_follows_a_rebuild_of_the_live_index(
    store: HookedStore, encoder: FakeEncoder, corpus: str, tmp_path: Path
) -> None:
    """Documents that were written before the rebuild are written to the new generation as well."""
    other = write_corpus(tmp_path / "other.jsonl", numbered(10, start=5000))
    counts(store, encoder, other)
    store.before = at_upload(3, lambda: counts(store, FakeEncoder(), other, options=RESTART))
    assert counts(store, encoder, corpus) == outcome(1000)
    assert store.open(NAME).info().documents == 1010


def test_index_deleted_during_a_run_is_an_error(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """The written documents are lost, so the run must not report success."""
    counts(store, encoder, corpus)
    store.before = at_upload(1, lambda: store.delete(NAME))
    changed = write_corpus(Path(corpus), numbered(1000, text="changed"))
    with pytest.raises(IndexNotFound, match="was deleted or rebuilt"):
        counts(store, encoder, changed)
    assert store.indexes() == []


def test_simultaneous_runs_lose_no_document(store: HookedStore, tmp_path: Path) -> None:
    """Two runs of different corpora build one new index."""
    corpora = [
        write_corpus(tmp_path / "a.jsonl", numbered(600)),
        write_corpus(tmp_path / "b.jsonl", numbered(600, start=500)),
    ]
    barrier = Barrier(2)
    reports: list[dict[str, object]] = []

    def run(corpus: str) -> None:
        barrier.wait()
        reports.append(counts(store, FakeEncoder(), corpus))

    threads = [Thread(target=run, args=(corpus,)) for corpus in corpora]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report["rejected"] for report in reports] == [0, 0]
    assert store.open(NAME).info().documents == 1100

"""Rules of a run that is stopped, and of what goes on: nothing that was written is lost or done again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Barrier, Thread

import pytest

from rerank.core.document import Vectors
from rerank.core.errors import IndexNotFound, RerankError, StoreFull, StoreUnavailable
from rerank.core.protocols import IndexSpec
from rerank.ingest.progress import LineProgress
from rerank.ingest.run import GO_ON, IngestOptions, ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, counts, numbered, outcome, write_corpus
from tests.ingest.hooked_store import Hook, HookedStore

CONFLICTING: list[dict[str, object]] = [
    {"_id": "x", "text": "x", "year": 1},
    {"_id": "y", "text": "y", "year": "soon"},
]
RESTART = IngestOptions(restart=True, waits=())


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
    """A hook that raises *error* at *step*, after so many of them, so many times."""
    seen = 0

    def before(done: str) -> None:
        nonlocal seen
        if done == step:
            seen += 1
            if after < seen <= after + times:
                raise error

    return before


def at_upload(number: int, act: Callable[[], object]) -> Hook:
    """A hook that does something else before an upload, counted from 0: what another process may do meanwhile."""
    uploads = 0
    done = False

    def before(step: str) -> None:
        nonlocal uploads, done
        if step == "upsert" and not done:
            done = uploads == number
            uploads += 1
            if done:
                act()

    return before


def stop(store: HookedStore, encoder: FakeEncoder, corpus: str, options: IngestOptions) -> int:
    """Run until the store is full after two batches; returns the number of documents that were written."""
    store.before = failing("upsert", StoreFull("no space is left"), after=2)
    with pytest.raises(StoreFull, match=f"no space is left; {GO_ON}"):
        ingest([corpus], store=store, encoder=encoder, name=NAME, options=options)
    store.before = lambda step: None
    unfinished = store.unfinished(NAME)
    assert unfinished is not None
    encoder.encoded.clear()
    return unfinished[0].info().documents


def test_a_stopped_first_run_goes_on(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """The same command skips what is there, encodes the rest once, and publishes."""
    written = stop(store, encoder, corpus, IngestOptions())
    assert store.indexes() == []
    assert written == 64 + 128
    assert counts(store, encoder, corpus) == outcome(1000 - written, skipped=written)
    assert len(encoder.encoded) == 1000 - written
    assert store.open(NAME).info().documents == 1000


def test_a_stopped_restart_goes_on(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """The live index answers meanwhile, and the same command goes on with what it had begun."""
    counts(store, encoder, corpus)
    written = stop(store, encoder, corpus, RESTART)
    assert store.open(NAME).info().documents == 1000
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000 - written, skipped=written)
    encoder.encoded.clear()
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000)


def test_a_stopped_restart_of_another_corpus_is_thrown_away(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """A new index holds only what is in its own corpus."""
    stop(store, encoder, corpus, RESTART)
    os.utime(corpus, ns=(1, 1))
    assert counts(store, encoder, corpus, options=RESTART) == outcome(1000)


def test_a_plain_run_goes_on_with_a_stopped_restart_where_nothing_is_live(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """What was written is not done again, whichever way it was begun."""
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
def test_what_was_begun_otherwise_is_not_gone_on_with(
    store: HookedStore, encoder: FakeEncoder, corpus: str, other: FakeEncoder, options: IngestOptions
) -> None:
    """Vectors of two encoders cannot be compared, and an analyser is fixed when an index is made."""
    stop(store, encoder, corpus, IngestOptions())
    assert counts(store, other, corpus, options=options) == outcome(1000)
    spec = store.open(NAME).spec
    assert (spec.encoder, spec.analyzer, spec.engine) == (other.identity, options.analyzer, options.engine)


@pytest.mark.parametrize("step", ["content_hashes", "upsert", "refresh", "optimize", "publish", "create"])
def test_a_store_that_comes_back_is_waited_for(
    store: HookedStore, encoder: FakeEncoder, corpus: str, step: str
) -> None:
    """Whichever step it fails; the user is told, and nothing is done twice."""
    store.before = failing(step, StoreUnavailable("cannot reach it"), times=2)
    shown = io.StringIO()
    options = IngestOptions(waits=(0, 0))
    report = ingest([corpus], store=store, encoder=encoder, name=NAME, options=options, progress=LineProgress(shown))
    assert report.indexed == 1000
    assert len(encoder.encoded) == 1000
    assert shown.getvalue().count("cannot reach it; trying again in 0 s\n") == 2
    assert store.open(NAME).info().documents == 1000


@pytest.mark.parametrize("step", ["content_hashes", "upsert", "refresh", "optimize", "publish"])
def test_a_store_that_stays_away_ends_the_run(store: HookedStore, encoder: FakeEncoder, corpus: str, step: str) -> None:
    """After patience, with an error that says how to go on; and going on works."""
    store.before = failing(step, StoreUnavailable("cannot reach it"))
    with pytest.raises(StoreUnavailable, match=f"cannot reach it; {GO_ON}"):
        counts(store, encoder, corpus, options=IngestOptions(waits=(0,)))
    store.before = lambda step: None
    counts(store, encoder, corpus)
    assert store.open(NAME).info().documents == 1000


def test_a_store_that_is_down_at_the_start_is_told_at_once(
    store: HookedStore, encoder: FakeEncoder, corpus: str
) -> None:
    """No waiting where nothing has begun."""
    store.before = failing("open", StoreUnavailable("cannot reach it"), times=1)
    with pytest.raises(StoreUnavailable, match=r"^cannot reach it$"):
        counts(store, encoder, corpus)


class InterruptedEncoder(FakeEncoder):
    """Ctrl-C comes while it encodes its third batch."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupts = True
        self._batches = 0

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self._batches += 1
        if self.interrupts and self._batches == 3:
            raise KeyboardInterrupt
        return super().encode_documents(texts)


def test_ctrl_c_keeps_what_was_written(store: HookedStore, corpus: str) -> None:
    """The sentence for the user says that the same command goes on."""
    encoder = InterruptedEncoder()
    with pytest.raises(KeyboardInterrupt, match=f"stopped; {GO_ON}"):
        counts(store, encoder, corpus)
    unfinished = store.unfinished(NAME)
    written = 0 if unfinished is None else unfinished[0].info().documents
    assert written <= 64 + 128
    encoder.interrupts = False
    assert counts(store, encoder, corpus) == outcome(1000 - written, skipped=written)


@pytest.mark.parametrize("uploads", [0, 3])
def test_runs_that_begin_an_index_at_once_build_it_together(
    store: HookedStore, encoder: FakeEncoder, tmp_path: Path, uploads: int
) -> None:
    """The later beginning throws the earlier one away; the earlier run notices, and writes everything again there."""
    store.before = at_upload(uploads, lambda: store.create(NAME, IndexSpec(encoder.identity)))
    corpus = write_corpus(tmp_path / "c.jsonl", [*CONFLICTING, *numbered(1000), "nonsense"])
    rejects = tmp_path / "rejects.jsonl"
    expected = outcome(1001, rejected=2)
    assert counts(store, encoder, corpus, options=IngestOptions(rejects=rejects)) == expected
    assert len(rejects.read_text().splitlines()) == 2
    assert store.open(NAME).info().documents == 1001


def test_a_run_never_replaces_what_another_has_published_meanwhile(
    store: HookedStore, encoder: FakeEncoder, corpus: str, tmp_path: Path
) -> None:
    """Only --restart replaces an index; a plain run adds to it."""
    other = write_corpus(tmp_path / "other.jsonl", numbered(10, start=5000))

    def other_run() -> None:
        counts(store, FakeEncoder(), other)
        store.create(NAME, IndexSpec(encoder.identity))

    store.before = at_upload(3, other_run)
    assert counts(store, encoder, corpus)["rejected"] == 0
    assert store.open(NAME).info().documents == 1010


def test_an_index_that_is_rebuilt_while_it_is_updated_is_followed(
    store: HookedStore, encoder: FakeEncoder, corpus: str, tmp_path: Path
) -> None:
    """The documents that were acknowledged before are written to the new one as well."""
    other = write_corpus(tmp_path / "other.jsonl", numbered(10, start=5000))
    counts(store, encoder, other)
    store.before = at_upload(3, lambda: counts(store, FakeEncoder(), other, options=RESTART))
    assert counts(store, encoder, corpus) == outcome(1000)
    assert store.open(NAME).info().documents == 1010


def test_an_index_that_is_deleted_in_mid_run_is_an_error(store: HookedStore, encoder: FakeEncoder, corpus: str) -> None:
    """What was acknowledged is gone with it, so the run must not say that all is well."""
    counts(store, encoder, corpus)
    store.before = at_upload(1, lambda: store.delete(NAME))
    changed = write_corpus(Path(corpus), numbered(1000, text="changed"))
    with pytest.raises(IndexNotFound, match="was deleted or rebuilt"):
        counts(store, encoder, changed)
    assert store.indexes() == []


def test_two_writers_at_once_lose_nothing(store: HookedStore, tmp_path: Path) -> None:
    """Two corpora, one new index, begun at the same moment."""
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

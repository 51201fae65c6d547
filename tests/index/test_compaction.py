"""Rules for the compaction of tables in the background."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rerank.core.errors import IndexNotFound
from rerank.core.protocols import IndexSpec
from rerank.index.embedded import EmbeddedStore, maintenance
from rerank.index.embedded.compaction import IDLE_FACTOR, Compacted, Compactor
from rerank.index.embedded.index import EmbeddedIndex
from tests.contracts.store import ENCODER, encoded, ids


@dataclass
class _Table:
    """Table that records its compactions. results: of the next compactions; then there is nothing to compact."""

    name: str = "docs"
    compactions: int = 0
    results: list[Compacted | Exception] = field(default_factory=list)

    def compact(self) -> Compacted | None:
        self.compactions += 1
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result


class _Clock:
    """Clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class _ManualCompactor(Compactor):
    """Compactor without a thread: the test calls compact_due."""

    def _run(self) -> None:
        return


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def compactor(clock: _Clock) -> Compactor:
    return _ManualCompactor(writes=3, clean_after=60, clock=clock)


def write(compactor: Compactor, table: _Table, count: int) -> None:
    for _ in range(count):
        compactor.written(f"table of {table.name}", table)
    compactor.compact_due()


def test_table_is_compacted_after_a_number_of_writes(compactor: Compactor) -> None:
    """Tables are counted separately."""
    first, second = _Table(), _Table("other")
    write(compactor, first, 2)
    write(compactor, second, 2)
    assert (first.compactions, second.compactions) == (0, 0)
    write(compactor, first, 1)
    assert (first.compactions, second.compactions) == (1, 0)


def test_replaced_versions_are_cleaned_once_searches_do_not_need_them(compactor: Compactor, clock: _Clock) -> None:
    """A second compaction follows after the time for which versions are kept, and no third one."""
    table = _Table(results=[Compacted(9, 1, 2.0)])
    write(compactor, table, 3)
    clock.now += 59
    compactor.compact_due()
    assert table.compactions == 1
    clock.now += 1
    compactor.compact_due()
    assert table.compactions == 2
    clock.now += 1_000
    compactor.compact_due()
    assert table.compactions == 2


def test_compactions_take_at_most_a_tenth_of_the_time(compactor: Compactor, clock: _Clock) -> None:
    """A compaction of two seconds is followed by a pause of eighteen, for all tables."""
    table = _Table(results=[Compacted(9, 1, 2.0)])
    write(compactor, table, 3)
    clock.now += 2 * IDLE_FACTOR - 1
    write(compactor, table, 3)
    assert table.compactions == 1
    clock.now += 1
    compactor.compact_due()
    assert table.compactions == 2


def test_failed_compaction_is_logged_and_repeated_after_more_writes(
    compactor: Compactor, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure does not reach the writer."""
    caplog.set_level(logging.INFO)
    table = _Table(results=[IndexNotFound("was deleted"), Compacted(120, 4, 1.84)])
    write(compactor, table, 3)
    write(compactor, table, 3)
    assert [record.getMessage() for record in caplog.records] == [
        "compaction failed index=docs reason=was deleted",
        "compacted index=docs fragments=120->4 seconds=1.8",
    ]


def test_closed_compactor_does_nothing(compactor: Compactor) -> None:
    """A store that is closed compacts no more."""
    table = _Table()
    compactor.close()
    write(compactor, table, 3)
    assert table.compactions == 0


def test_posts_leave_few_fragments_and_all_documents(tmp_path: Path) -> None:
    """Each write adds a fragment; a compaction merges them, and keeps documents, deletions and search results."""
    store = EmbeddedStore(tmp_path)
    store.publish(store.create("docs", IndexSpec(ENCODER.identity)))
    index = store.open("docs")
    assert isinstance(index, EmbeddedIndex)
    table = index._table
    reader = EmbeddedStore(tmp_path).open("docs")
    for i in range(40):
        index.upsert([encoded(f"d{i % 30}", f"zebra number {i}")])
    index.delete(["d0"])
    compacted = index.compact()
    store.close()
    assert compacted is None or compacted.after <= maintenance.FEW_FRAGMENTS
    assert table.stats()["fragment_stats"]["num_fragments"] <= maintenance.FEW_FRAGMENTS
    assert index.info().documents == 29
    for searched in (index, reader):
        searched.refresh()
        assert {match.passage.doc_id for match in searched.match("zebra", k=50)} == {f"d{i}" for i in range(1, 30)}
        assert ids(searched, "zebra number 35", k=1) == ["d5"]


def test_replaced_generation_is_not_compacted(tmp_path: Path) -> None:
    """A compaction that is scheduled when a rebuild is published raises an error that the compactor logs."""
    store = EmbeddedStore(tmp_path)
    store.publish(store.create("docs", IndexSpec(ENCODER.identity)))
    replaced = store.open("docs")
    store.publish(store.create("docs", IndexSpec(ENCODER.identity)))
    assert isinstance(replaced, EmbeddedIndex)
    with pytest.raises(IndexNotFound, match="was rebuilt"):
        replaced.compact()

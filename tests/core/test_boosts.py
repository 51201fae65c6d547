"""Boosts of the final order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank.core.boosted_order import boosted, without_excluded
from rerank.core.boosts import Boosts, LogBoost, RecencyBoost, parse_half_life
from rerank.core.document import Passage
from rerank.core.ranking import Ranking, RankingModel, first_stage_ranking, rerank_or_fail
from rerank.core.search import Candidate, RerankReport
from tests.fakes import FakeReranker

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RECENCY = RecencyBoost("metadata.date", timedelta(days=30), 2.0)
LOG = LogBoost("metadata.views", 0.5)
DATES = st.sampled_from([None, "2026-06-01", "2026-05-02T00:00:00Z", "2020-01-01", "soon", 5, ["2026-05-01", "2019"]])
NUMBERS = st.sampled_from([None, 0, 9, 99.0, -5, True, "many", [9, 999], float("inf")])
DOCUMENTS = st.lists(
    st.tuples(st.sampled_from(["tea", "green tea", "dog", "cup"]), DATES, NUMBERS), min_size=1, max_size=8
)


def ranked(texts: Mapping[str, str]) -> Ranking:
    candidates = [
        Candidate(Passage(doc_id, 0, "", text, 0, len(text)), rank, 1 / rank)
        for rank, (doc_id, text) in enumerate(texts.items(), start=1)
    ]
    return rerank_or_fail(RankingModel(FakeReranker()), "green tea", candidates)


def order(ranking: Ranking) -> list[str]:
    return [entry.candidate.doc_id for entry in ranking.ranked]


@pytest.mark.parametrize(
    ("value", "expected", "reason"),
    [
        ("2026-06-01", 1.0, None),
        ("2026-05-02T00:00:00+00:00", 0.5, None),
        ("2030-01-01", 1.0, None),
        (["2026-04-02", "2026-05-02", "x"], 0.5, None),
        (None, None, "missing"),
        ([], None, "missing"),
        ("soon", None, "not a date"),
        (17, None, "not a date"),
    ],
)
def test_recency_halves_with_each_half_life(value: object, expected: float | None, reason: str | None) -> None:
    """A value that is not a date has no effect, for the stated reason."""
    term = RECENCY.term(value, NOW)
    assert (term.value, term.reason) == (expected, reason)
    assert term.contribution == (0.0 if expected is None else 2.0 * expected)


@pytest.mark.parametrize(
    ("value", "expected", "reason"),
    [
        (99, 2.0, None),
        (0, 0.0, None),
        ([9, 999, -1], 3.0, None),
        (None, None, "missing"),
        (-1, None, "not a number of 0 or more"),
        (True, None, "not a number of 0 or more"),
        (float("nan"), None, "not a number of 0 or more"),
        ("99", None, "not a number of 0 or more"),
    ],
)
def test_each_factor_of_ten_adds_the_weight(value: object, expected: float | None, reason: str | None) -> None:
    """A value that is not a number has no effect, for the stated reason."""
    term = LOG.term(value)
    assert (term.value, term.reason) == (pytest.approx(expected) if expected is not None else None, reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30d", timedelta(days=30)), ("12h", timedelta(hours=12)), ("4w", timedelta(weeks=4)), ("0d", None), ("d", None)],
)
def test_half_life_is_a_number_with_a_unit(text: str, expected: timedelta | None) -> None:
    """Units are seconds, minutes, hours, days and weeks."""
    assert parse_half_life(text) == expected


@settings(max_examples=60, deadline=None)
@given(documents=DOCUMENTS, pins=st.lists(st.integers(0, 7), max_size=3, unique=True), added=DOCUMENTS)
def test_scores_follow_the_order_and_a_new_candidate_never_swaps_two_others(
    documents: list[tuple[str, object, object]], pins: list[int], added: list[tuple[str, object, object]]
) -> None:
    """Terms depend on the document's own fields. Pinned hits come first, in the order of the ids."""
    boosts = Boosts(RECENCY, LOG, tuple(f"d{pin}" for pin in pins))

    def run(rows: Sequence[tuple[str, object, object]]) -> Ranking:
        values = {f"d{i}": row[1:] for i, row in enumerate(rows)}
        return boosted(ranked({f"d{i}": row[0] for i, row in enumerate(rows)}), boosts, values, now=NOW)

    few = run(documents)
    scores = [entry.score for entry in few.ranked]
    assert scores == sorted(scores, reverse=True)
    assert [entry.rank for entry in few.ranked] == list(range(1, len(documents) + 1))
    present = [doc_id for doc_id in boosts.pinned if int(doc_id[1:]) < len(documents)]
    assert order(few)[: len(present)] == present
    unpinned = boosts.pinned
    more = [doc_id for doc_id in order(run([*documents, *added])) if int(doc_id[1:]) < len(documents)]
    assert [i for i in more if i not in unpinned] == [i for i in order(few) if i not in unpinned]


def test_excluded_candidates_are_removed_and_boosts_add_none() -> None:
    """A pinned id that the search did not retrieve is absent."""
    ranking = ranked({"a": "tea", "b": "green tea"})
    candidates = [entry.candidate for entry in ranking.ranked]
    assert [c.doc_id for c in without_excluded(candidates, Boosts(excluded=frozenset("b")))] == ["a"]
    assert order(boosted(ranking, Boosts(pinned=("x", "a")), {}, now=NOW)) == ["a", "b"]


def test_first_stage_order_keeps_its_scores_below_pinned_hits() -> None:
    """Without model scores, only pinned ids change the order, because boosts add to log-odds."""
    candidates = [entry.candidate for entry in ranked({"a": "tea", "b": "dog", "c": "cup"}).ranked]
    report = RerankReport(applied=False, reason=None, model=None, candidates=3)
    plain = first_stage_ranking(sorted(candidates, key=lambda c: c.rank), report)
    pinned = boosted(plain, Boosts(RECENCY, None, ("c",)), {"b": ["2026-06-01"]}, now=NOW)
    assert [(entry.candidate.doc_id, entry.score) for entry in pinned.ranked] == [("c", 1.0), ("a", 1.0), ("b", 0.5)]

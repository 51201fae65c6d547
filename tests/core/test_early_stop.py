from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Passage
from rerank.core.early_stop import EarlyStop, StoppingReranker
from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import DEFAULT_FUSION
from rerank.core.ranking import RankingModel, rerank
from rerank.core.search import Candidate, Reason
from tests.fakes import FakeReranker

N = 100


def candidates(scores: NDArray[np.float64]) -> list[Candidate]:
    """Documents 0, 1 … with these first-stage scores; the first twelve hold both words of the query."""
    texts = [f"green tea {i}" if i < 12 else f"milk {i}" for i in range(len(scores))]
    return [
        Candidate(Passage(str(i), 0, "", text, 0, len(text)), i + 1, float(score), cosine=float(score))
        for i, (text, score) in enumerate(zip(texts, scores, strict=True))
    ]


def stop(probability: float, *, k: int = 10) -> EarlyStop:
    """Over first-stage scores that fall evenly."""
    features = FirstStageFeatures.of(candidates(np.linspace(1, 0, N)))
    return EarlyStop(DEFAULT_FUSION, features, k, probability)


def test_what_the_first_stage_foretells_need_not_be_read() -> None:
    """Where logits follow the first stage closely, its last ones are not among the first."""
    logits = np.linspace(10, 0, N, dtype=np.float32)

    assert stop(0.05).decided(logits[:32])
    assert not stop(0.05).decided(logits[:10])


def test_where_logits_are_anyones_guess_reading_goes_on() -> None:
    """Large differences from what the first stage foretells may occur again."""
    logits = np.random.default_rng(3).normal(0, 5, N).astype(np.float32)

    assert not stop(0.05).decided(logits[:32])


def test_a_stop_is_held_to_its_probability() -> None:
    """Of many searches like these, no larger share than stated has another first ten after reading all."""
    rng = np.random.default_rng(11)
    features = FirstStageFeatures.of(candidates(np.linspace(1, 0, N)))
    wrong = stopped = 0
    for _ in range(150):
        logits = (np.linspace(4, -4, N) + rng.normal(0, 1.0, N)).astype(np.float32)
        read = next((n for n in range(32, N, 16) if stop(0.1).decided(logits[:n])), N)
        stopped += read < N
        best = np.argsort(-DEFAULT_FUSION.fuse(logits, features).scores, kind="stable")[:10]
        wrong += bool((best >= read).any())

    assert stopped > 75
    assert wrong <= 0.1 * 150


def test_a_stopped_search_says_how_many_were_read_and_gives_no_reason() -> None:
    """Nothing went wrong: the rest follows in first-stage order."""
    found = candidates(np.linspace(1, 0, N))
    model = RankingModel(FakeReranker(), stop_probability=0.05).for_search(found, k=5)
    ranking = rerank(model, "green tea", found)

    assert (ranking.report.reason, ranking.report.scored, ranking.report.candidates) == (None, 32, N)
    assert [entry.candidate.rank for entry in ranking.ranked[32:]] == list(range(33, N + 1))


def test_a_deadline_is_still_the_reason(tmp_path: object) -> None:
    """What the time left out is told from what was not needed."""
    found = candidates(np.linspace(1, 0, N))
    model = RankingModel(FakeReranker(), stop_probability=0.05).for_search(found, k=5)
    ranking = rerank(model, "green tea", found, deadline=time.monotonic() - 1)

    assert (ranking.report.applied, ranking.report.reason) == (False, Reason.TIMEOUT)


def test_all_are_read_where_nothing_is_to_stop() -> None:
    """0 is off, and few candidates are read at once."""
    found = candidates(np.linspace(1, 0, 20))
    plain = RankingModel(FakeReranker())
    stopping = RankingModel(FakeReranker(), stop_probability=0.5)

    assert plain.for_search(found, k=5) is plain
    ranked = rerank(stopping.for_search(found, k=5), "green tea", found)
    assert ranked == rerank(plain, "green tea", found)
    assert isinstance(stopping.for_search(found, k=5).reranker, StoppingReranker)

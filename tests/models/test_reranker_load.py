"""What a reranker does when there is more work than time: with a network whose answers are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelError, ModelOutputInvalid, ModelOverloaded, RequestCancelled, RerankError
from rerank.core.protocols import RerankScores
from rerank.models.output_cache import OutputCache
from rerank.models.scheduler import Scheduler
from rerank.models.shared_resources import SharedResources
from tests.models.scripted import ScriptedNetwork, scripted

QUERY = "what is a cat"


def test_identical_texts_are_scored_once(tmp_path: Path) -> None:
    """The network sees a text once, every place gets its logit, and `cached` counts what was saved."""
    network = ScriptedNetwork()
    scores = scripted(tmp_path, network).score(QUERY, ["the cat", "tea", "the cat", "the cat"])

    assert (sum(network.batches), scores.cached) == (2, 2)
    assert scores.logits.tolist() == [2, 1, 2, 2]
    assert scores.scored.all()


def test_a_deadline_that_has_passed_scores_nothing(tmp_path: Path) -> None:
    """The answer says that nothing was scored; it is no error."""
    network = ScriptedNetwork()
    scores = scripted(tmp_path, network).score(QUERY, ["the cat"], deadline=time.monotonic() - 1)

    assert (scores.scored.tolist(), scores.logits.tolist(), network.batches) == ([False], [0.0], [])


def test_deadline_is_overrun_by_at_most_one_batch(tmp_path: Path) -> None:
    """A batch that is running at the deadline counts, and no other starts; the first texts come first."""

    def past_deadline_in_second(batch: int) -> None:
        while batch == 2 and time.monotonic() <= deadline:
            time.sleep(0.001)

    network = ScriptedNetwork(past_deadline_in_second)
    reranker = scripted(tmp_path, network)
    texts = ["the cat" + " a" * (i % 3) + f" {i}" for i in range(100)]
    deadline = time.monotonic() + 1
    scores = reranker.score(QUERY, texts, deadline=deadline)

    done = np.flatnonzero(scores.scored)
    assert len(network.batches) == 2
    assert 0 < len(done) == sum(network.batches)
    assert done.max() < 16  # the first slice


def test_a_deadline_that_is_far_leaves_nothing_out(tmp_path: Path) -> None:
    """Windows go on to the last text."""
    scores = scripted(tmp_path, ScriptedNetwork()).score(
        QUERY, [f"the {i}" for i in range(150)], deadline=time.monotonic() + 3600
    )

    assert scores.scored.all()


@pytest.mark.parametrize("answer", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_names_the_text(tmp_path: Path, answer: float) -> None:
    """A NaN is an error, never a rank."""
    with pytest.raises(ModelOutputInvalid, match=r"scripted returned (nan|inf) for the text 'the cat"):
        scripted(tmp_path, ScriptedNetwork(answer=answer)).score(QUERY, ["the cat " * 50])


def test_a_network_that_fails_is_a_model_error(tmp_path: Path) -> None:
    """What the runtime raises is translated, with the model's name."""

    def fail(batch: int) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(ModelError, match="the reranker scripted failed: out of memory"):
        scripted(tmp_path, ScriptedNetwork(fail)).score(QUERY, ["the cat"])


def test_a_request_whose_deadline_passes_in_the_line_is_not_scored(tmp_path: Path) -> None:
    """While one request holds the model, another with little time answers without scores."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(batch: int) -> None:
        begun.set()
        assert go_on.wait(10)

    reranker = scripted(tmp_path, ScriptedNetwork(hold))
    first: list[RerankScores] = []
    thread = threading.Thread(target=lambda: first.append(reranker.score(QUERY, ["the cat"])))
    thread.start()
    assert begun.wait(10)
    second = reranker.score(QUERY, ["the cat"], deadline=time.monotonic() + 0.01)
    go_on.set()
    thread.join(10)

    assert (first[0].scored.tolist(), second.scored.tolist()) == ([True], [False])


class Held:
    """A network whose first batch blocks until the test releases it."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.network = ScriptedNetwork(self._hold)

    def _hold(self, batch: int) -> None:
        self.begun.set()
        assert self.go_on.wait(10)


class Client:
    """A Cancellation that a test sets."""

    def __init__(self) -> None:
        self.left = False

    def cancelled(self) -> bool:
        return self.left


def asked(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that does *work*, and where its result or error will be."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except RerankError as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def until(condition: Callable[[], bool]) -> None:
    """Poll *condition* until it holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_beyond_its_places_a_request_is_refused_and_then_served(tmp_path: Path) -> None:
    """Work that would only wait longer than anyone listens is not taken on; once there is room, it is."""
    held = Held()
    shared = SharedResources(scheduler=Scheduler(places=2))
    reranker = scripted(tmp_path, held.network, shared=shared)
    threads = [asked(lambda: reranker.score(QUERY, ["the cat"]))[0] for _ in range(2)]
    until(lambda: shared.load().waiting == 2)

    with pytest.raises(ModelOverloaded, match=r"the reranker scripted: 2 requests are already waiting. Retry later"):
        reranker.score(QUERY, ["tea"])

    held.go_on.set()
    for thread in threads:
        thread.join(10)
    assert reranker.score(QUERY, ["tea"]).scored.all()
    assert (shared.load().waiting, shared.load().refused) == (0, 1)


def test_disconnected_client_frees_its_place_and_its_work_is_dropped(tmp_path: Path) -> None:
    """A disconnected request does not delay others."""
    held, gone = Held(), Client()
    shared = SharedResources(scheduler=Scheduler(places=2))
    reranker = scripted(tmp_path, held.network, shared=shared)
    first, answer = asked(lambda: reranker.score(QUERY, ["the cat"]))
    assert held.begun.wait(10)
    second, error = asked(lambda: reranker.score(QUERY, ["tea", "the dog"], cancellation=gone))
    until(lambda: shared.load().waiting == 2)
    gone.left = True
    third, later = asked(lambda: reranker.score(QUERY, ["a"]))
    held.go_on.set()
    for thread in (first, second, third):
        thread.join(10)

    assert [type(result[0]) for result in (answer, error, later)] == [RerankScores, RequestCancelled, RerankScores]
    assert held.network.batches == [1, 1]
    assert shared.load().cancelled == 1


def test_a_score_is_kept_and_counted(tmp_path: Path) -> None:
    """A pair that was scored is not scored again, however it is mixed with others, and `cached` says so."""
    network = ScriptedNetwork()
    reranker = scripted(tmp_path, network, shared=SharedResources(cache=OutputCache(megabytes=1)))
    reranker.score(QUERY, ["the cat", "tea"])
    scores = reranker.score(QUERY, ["tea", "the green dog", "tea", "the cat"])
    again = reranker.score("what is", ["tea"])

    assert network.batches == [2, 1, 1]
    assert (scores.cached, again.cached) == (3, 0)
    assert (scores.logits.tolist(), scores.tokens.tolist()) == ([1, 3, 1, 2], [4, 6, 4, 5])
    assert scores.scored.all()


def test_what_the_cache_knows_is_answered_while_the_queue_is_full(tmp_path: Path) -> None:
    """A repeated request needs no model, so it is neither refused nor late."""
    reranker = scripted(
        tmp_path,
        ScriptedNetwork(),
        shared=SharedResources(scheduler=(scheduler := Scheduler(places=1)), cache=OutputCache(megabytes=1)),
    )
    expected = reranker.score(QUERY, ["the cat"]).logits.tolist()
    with scheduler.place(what="another"):
        scores = reranker.score(QUERY, ["the cat"], deadline=time.monotonic() - 1)

    assert (scores.logits.tolist(), scores.scored.tolist(), scores.cached) == (expected, [True], 1)


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    """The same request runs again after a failure."""

    def fail_first(batch: int) -> None:
        if batch == 1:
            raise RuntimeError("out of memory")

    reranker = scripted(tmp_path, ScriptedNetwork(fail_first), shared=SharedResources(cache=OutputCache(megabytes=1)))
    with pytest.raises(ModelError):
        reranker.score(QUERY, ["the cat"])

    assert reranker.score(QUERY, ["the cat"]).logits.tolist() == [2]


def test_the_time_that_is_left_decides_how_many_texts_are_read(tmp_path: Path) -> None:
    """Once the speed is known, a request under a deadline gets the first texts, about as many as fit, and says so."""

    def take_5_ms_a_text(batch: int) -> None:
        time.sleep(0.005 * network.batches[-1])

    network = ScriptedNetwork(take_5_ms_a_text)
    reranker = scripted(tmp_path, network)
    texts = [f"the {i}" for i in range(10_000)]
    reranker.score(QUERY, texts[:100])
    scores = reranker.score(QUERY, texts, deadline=time.monotonic() + 0.4)

    done = np.flatnonzero(scores.scored)
    assert 10 < len(done) < 100
    assert done.max() < 2 * len(done)

"""Rules for rerankers under load: deadlines, the queue and the cache."""

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
    """The network scores a text once. Each duplicate gets the logit, and `cached` counts duplicates."""
    network = ScriptedNetwork()
    scores = scripted(tmp_path, network).score(QUERY, ["the cat", "tea", "the cat", "the cat"])

    assert (sum(network.batches), scores.cached) == (2, 2)
    assert scores.logits.tolist() == [2, 1, 2, 2]
    assert scores.scored.all()


def test_passed_deadline_scores_nothing(tmp_path: Path) -> None:
    """The result has no scored texts, and no error is raised."""
    network = ScriptedNetwork()
    scores = scripted(tmp_path, network).score(QUERY, ["the cat"], deadline=time.monotonic() - 1)

    assert (scores.scored.tolist(), scores.logits.tolist(), network.batches) == ([False], [0.0], [])


def test_deadline_is_overrun_by_at_most_one_batch(tmp_path: Path) -> None:
    """The batch that runs at the deadline is finished, no other batch starts, and the first texts are scored first."""

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
    assert done.max() < 16  # 16 texts form the first slice.


def test_distant_deadline_scores_all_texts(tmp_path: Path) -> None:
    """Slices continue to the last text."""
    scores = scripted(tmp_path, ScriptedNetwork()).score(
        QUERY, [f"the {i}" for i in range(150)], deadline=time.monotonic() + 3600
    )

    assert scores.scored.all()


@pytest.mark.parametrize("logit", [float("nan"), float("inf")])
def test_nan_logit_raises_model_output_invalid(tmp_path: Path, logit: float) -> None:
    """The error names the model and the text."""
    with pytest.raises(ModelOutputInvalid, match=r"scripted returned (nan|inf) for the text 'the cat"):
        scripted(tmp_path, ScriptedNetwork(logit=logit)).score(QUERY, ["the cat " * 50])


def test_failing_network_raises_model_error(tmp_path: Path) -> None:
    """An error of the runtime is translated, with the name of the model."""

    def fail(batch: int) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(ModelError, match="the reranker scripted failed: out of memory"):
        scripted(tmp_path, ScriptedNetwork(fail)).score(QUERY, ["the cat"])


def test_deadline_in_the_queue_scores_nothing(tmp_path: Path) -> None:
    """A request whose deadline passes while another request runs returns without scores."""
    started, resume = threading.Event(), threading.Event()

    def block(batch: int) -> None:
        started.set()
        assert resume.wait(10)

    reranker = scripted(tmp_path, ScriptedNetwork(block))
    first: list[RerankScores] = []
    thread = threading.Thread(target=lambda: first.append(reranker.score(QUERY, ["the cat"])))
    thread.start()
    assert started.wait(10)
    second = reranker.score(QUERY, ["the cat"], deadline=time.monotonic() + 0.01)
    resume.set()
    thread.join(10)

    assert (first[0].scored.tolist(), second.scored.tolist()) == ([True], [False])


class BlockedNetwork:
    """A network whose first batch blocks until the test releases it."""

    def __init__(self) -> None:
        self.started, self.resume = threading.Event(), threading.Event()
        self.network = ScriptedNetwork(self._block)

    def _block(self, batch: int) -> None:
        self.started.set()
        assert self.resume.wait(10)


class Client:
    """A Cancellation that a test sets."""

    def __init__(self) -> None:
        self.disconnected = False

    def cancelled(self) -> bool:
        return self.disconnected


def started_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Starts *work* in a thread. Returns the thread, and a list that receives the result or the error."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except RerankError as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits at most 10 seconds until *condition* returns True."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_request_beyond_max_waiting_is_refused(tmp_path: Path) -> None:
    """The refused request is counted. The same request succeeds after the queue is empty."""
    blocked = BlockedNetwork()
    shared = SharedResources(scheduler=Scheduler(max_waiting=2))
    reranker = scripted(tmp_path, blocked.network, shared=shared)
    threads = [started_thread(lambda: reranker.score(QUERY, ["the cat"]))[0] for _ in range(2)]
    wait_until(lambda: shared.load().waiting == 2)

    with pytest.raises(ModelOverloaded, match=r"the reranker scripted: 2 requests are already waiting. Retry later"):
        reranker.score(QUERY, ["tea"])

    blocked.resume.set()
    for thread in threads:
        thread.join(10)
    assert reranker.score(QUERY, ["tea"]).scored.all()
    assert (shared.load().waiting, shared.load().refused) == (0, 1)


def test_disconnected_client_frees_its_slot(tmp_path: Path) -> None:
    """The texts of a disconnected client are not scored, and another request gets the slot."""
    blocked, client = BlockedNetwork(), Client()
    shared = SharedResources(scheduler=Scheduler(max_waiting=2))
    reranker = scripted(tmp_path, blocked.network, shared=shared)
    first, first_result = started_thread(lambda: reranker.score(QUERY, ["the cat"]))
    assert blocked.started.wait(10)
    second, second_result = started_thread(lambda: reranker.score(QUERY, ["tea", "the dog"], cancellation=client))
    wait_until(lambda: shared.load().waiting == 2)
    client.disconnected = True
    third, third_result = started_thread(lambda: reranker.score(QUERY, ["a"]))
    blocked.resume.set()
    for thread in (first, second, third):
        thread.join(10)

    assert [type(result[0]) for result in (first_result, second_result, third_result)] == [
        RerankScores,
        RequestCancelled,
        RerankScores,
    ]
    assert blocked.network.batches == [1, 1]
    assert shared.load().cancelled == 1


def test_cached_score_is_not_computed_again(tmp_path: Path) -> None:
    """A cached pair is not scored again in any combination of texts, and `cached` counts it."""
    network = ScriptedNetwork()
    reranker = scripted(tmp_path, network, shared=SharedResources(cache=OutputCache(megabytes=1)))
    reranker.score(QUERY, ["the cat", "tea"])
    scores = reranker.score(QUERY, ["tea", "the green dog", "tea", "the cat"])
    other_query = reranker.score("what is", ["tea"])

    assert network.batches == [2, 1, 1]
    assert (scores.cached, other_query.cached) == (3, 0)
    assert (scores.logits.tolist(), scores.tokens.tolist()) == ([1, 3, 1, 2], [4, 6, 4, 5])
    assert scores.scored.all()


def test_cached_scores_are_returned_while_the_queue_is_full(tmp_path: Path) -> None:
    """A request with cached scores needs no model, so it is neither refused nor late."""
    reranker = scripted(
        tmp_path,
        ScriptedNetwork(),
        shared=SharedResources(scheduler=(scheduler := Scheduler(max_waiting=1)), cache=OutputCache(megabytes=1)),
    )
    expected = reranker.score(QUERY, ["the cat"]).logits.tolist()
    with scheduler.waiting_slot(model="another"):
        scores = reranker.score(QUERY, ["the cat"], deadline=time.monotonic() - 1)

    assert (scores.logits.tolist(), scores.scored.tolist(), scores.cached) == (expected, [True], 1)


def test_error_is_not_cached(tmp_path: Path) -> None:
    """The same request runs again after an error."""

    def fail_first(batch: int) -> None:
        if batch == 1:
            raise RuntimeError("out of memory")

    reranker = scripted(tmp_path, ScriptedNetwork(fail_first), shared=SharedResources(cache=OutputCache(megabytes=1)))
    with pytest.raises(ModelError):
        reranker.score(QUERY, ["the cat"])

    assert reranker.score(QUERY, ["the cat"]).logits.tolist() == [2]


def test_deadline_determines_the_number_of_scored_texts(tmp_path: Path) -> None:
    """With a known throughput, a request scores the first texts, about as many as the deadline allows."""

    def take_5_ms_per_text(batch: int) -> None:
        time.sleep(0.005 * network.batches[-1])

    network = ScriptedNetwork(take_5_ms_per_text)
    reranker = scripted(tmp_path, network)
    texts = [f"the {i}" for i in range(10_000)]
    reranker.score(QUERY, texts[:100])
    scores = reranker.score(QUERY, texts, deadline=time.monotonic() + 0.4)

    done = np.flatnonzero(scores.scored)
    assert 10 < len(done) < 100
    assert done.max() < 2 * len(done)

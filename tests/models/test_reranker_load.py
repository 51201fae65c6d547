"""What a reranker does when there is more work than time: with a network whose answers are known."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelError, ModelOutputInvalid, ModelOverloaded
from core.protocols import RerankScores
from models.reranker import MAX_WAITING
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


def test_a_deadline_is_overshot_by_one_batch_at_most(tmp_path: Path) -> None:
    """When time runs out in a batch, that one still counts and no other begins; the first texts come first."""
    deadline = time.monotonic() + 0.2

    def past_deadline_in_second(batch: int) -> None:
        while batch == 2 and time.monotonic() <= deadline:
            time.sleep(0.001)

    network = ScriptedNetwork(past_deadline_in_second)
    texts = ["the cat" + " a" * (i % 3) + f" {i}" for i in range(100)]
    scores = scripted(tmp_path, network).score(QUERY, texts, deadline=deadline)

    done = np.flatnonzero(scores.scored)
    assert len(network.batches) == 2
    assert 0 < len(done) == sum(network.batches)
    assert done.max() < 16  # the first window


def test_a_deadline_that_is_far_leaves_nothing_out(tmp_path: Path) -> None:
    """Windows go on to the last text."""
    scores = scripted(tmp_path, ScriptedNetwork()).score(
        QUERY, [f"the {i}" for i in range(150)], deadline=time.monotonic() + 3600
    )

    assert scores.scored.all()


@pytest.mark.parametrize("answer", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_names_the_text(tmp_path: Path, answer: float) -> None:
    """A NaN is an error, never a rank."""
    with pytest.raises(ModelOutputInvalid, match=r"scripted answered (nan|inf) for the text 'the cat"):
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


def test_beyond_the_line_a_request_is_refused(tmp_path: Path) -> None:
    """Work that would only wait longer than anyone listens is not taken on."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(batch: int) -> None:
        begun.set()
        assert go_on.wait(10)

    reranker = scripted(tmp_path, ScriptedNetwork(hold))
    refused: list[ModelOverloaded] = []
    scored: list[RerankScores] = []

    def ask() -> None:
        try:
            scored.append(reranker.score(QUERY, ["the cat"]))
        except ModelOverloaded as exc:
            refused.append(exc)
            go_on.set()

    threads = [threading.Thread(target=ask) for _ in range(MAX_WAITING + 2)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert (len(scored), len(refused)) == (MAX_WAITING + 1, 1)

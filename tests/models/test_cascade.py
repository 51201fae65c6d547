from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ModelError, ModelOverloaded, SettingError
from core.protocols import Cancellation, RerankScores
from core.settings import load_settings
from models.cascade import CascadeReranker
from models.economy import Economy
from models.loading import LoadedModels
from tests.models import tiny

QUERY = "what is a cat"


class Table:
    """A Reranker whose logits stand in a table; *first* (None: all) is how many it has time for."""

    max_tokens = 64

    def __init__(self, name: str, logits: dict[str, float], *, first: int | None = None) -> None:
        self.name = self.fingerprint = name
        self._logits = logits
        self._first = first
        self.asked: list[list[str]] = []
        self.deadlines: list[float | None] = []
        self.fails: ModelError | None = None

    def text_room(self, query: str) -> int:
        return self.max_tokens

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        return [np.zeros((0, 2), dtype=np.int32) for _ in texts]

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        self.asked.append(list(texts))
        self.deadlines.append(deadline)
        if self.fails is not None:
            raise self.fails
        scored = np.arange(len(texts)) < (len(texts) if self._first is None else self._first)
        logits = np.array([self._logits[text] for text in texts], dtype=np.float32) * scored
        return RerankScores(logits, scored, np.full(len(texts), len(self.name), dtype=np.int32), ~scored)


FAST = {"a": 1.0, "b": 4.0, "c": 2.0, "d": 3.0, "e": 0.0}
FULL = {"a": 9.0, "b": 10.0, "c": 20.0, "d": 30.0, "e": 40.0}


def cascade(*, contenders: int = 2, fast_first: int | None = None, full_first: int | None = None) -> CascadeReranker:
    """Two tables in a row."""
    return CascadeReranker(
        Table("full", FULL, first=full_first), Table("fast", FAST, first=fast_first), contenders=contenders
    )


def test_the_full_reranker_reads_the_contenders_alone_best_first() -> None:
    """Their logits are its own; the others are estimated on its scale, in the fast one's order."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    scores = CascadeReranker(full, fast, contenders=2).score(QUERY, list("abcde"))

    assert (fast.asked, full.asked) == ([list("abcde")], [["b", "d"]])
    # 4 and 3 became 10 and 30: the mean of 20 and the deviation of 10 stand for 3.5 and 0.5.
    assert scores.logits.tolist() == [-30.0, 10.0, -10.0, 30.0, -50.0]
    assert scores.estimated is not None
    assert scores.estimated.tolist() == [True, False, True, False, True]
    assert scores.tokens.tolist() == [4] * 5
    assert scores.scored.all()


def test_few_texts_are_read_by_the_full_reranker_at_once() -> None:
    """Where all are contenders, nothing is left out, and the fast one is not asked."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    scores = CascadeReranker(full, fast, contenders=5).score(QUERY, list("abcde"))

    assert (fast.asked, scores.logits.tolist(), scores.estimated) == ([], [9, 10, 20, 30, 40], None)


def test_equal_answers_of_the_fast_reranker_keep_their_order() -> None:
    """Of equal ones the first, which the first stage preferred, is the contender."""
    full = Table("full", FULL)
    CascadeReranker(full, Table("fast", dict.fromkeys("abcde", 1.0)), contenders=2).score(QUERY, list("ecabd"))

    assert full.asked == [["e", "c"]]


def test_the_fast_reranker_leaves_half_of_the_time() -> None:
    """What it could not read is not scored, and is no contender; what the full one could not read is estimated."""
    full, fast = Table("full", FULL, first=1), Table("fast", FAST, first=3)
    now = time.monotonic()
    scores = CascadeReranker(full, fast, contenders=2).score(QUERY, list("abcde"), deadline=now + 1000)

    assert full.asked == [["b", "c"]]
    assert full.deadlines == [now + 1000]
    assert fast.deadlines[0] == pytest.approx(now + 500, abs=5)
    assert scores.scored.tolist() == [True, True, True, False, False]
    assert scores.estimated is not None
    assert scores.estimated.tolist() == [True, False, True, False, False]
    assert scores.logits.tolist() == [7, 10, 8, 0, 0]


def test_an_overloaded_full_reranker_leaves_the_fast_ones_order() -> None:
    """A worse order than it could be, and told: better than none."""
    full = Table("full", FULL)
    full.fails = ModelOverloaded("busy")
    scores = CascadeReranker(full, Table("fast", FAST), contenders=2).score(QUERY, list("abcde"))

    assert scores.logits.tolist() == [1, 4, 2, 3, 0]
    assert scores.estimated is not None
    assert scores.estimated.all()


def test_a_failing_reranker_is_an_error() -> None:
    """Only what passes by itself is made up for."""
    full = Table("full", FULL)
    full.fails = ModelError("broken")
    with pytest.raises(ModelError, match="broken"):
        CascadeReranker(full, Table("fast", FAST), contenders=2).score(QUERY, list("abcde"))


def test_how_texts_are_cut_to_fit_is_the_full_rerankers_matter() -> None:
    """A long document is cut into what the deciding model reads."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    fast.max_tokens = 8

    assert CascadeReranker(full, fast, contenders=2).text_room(QUERY) == 64
    assert [len(spans) for spans in CascadeReranker(full, fast, contenders=2).token_spans(["a", "b"])] == [0, 0]


def test_its_fingerprint_is_that_of_both_models_and_the_number() -> None:
    """Scores of another cascade are other scores."""
    made = {
        CascadeReranker(Table(full, FULL), Table(fast, FAST), contenders=contenders).fingerprint
        for full, fast, contenders in (("x", "y", 2), ("x", "y", 3), ("x", "z", 2), ("y", "x", 2))
    }
    assert len(made) == 4


def test_a_setting_puts_a_fast_reranker_before_every_other_one(tmp_path: Path) -> None:
    """The contenders' logits are the full model's; the fast model, asked for by name, stands alone."""
    full, fast = str(tiny.bert(tmp_path / "full", labels=1)), str(tiny.roberta(tmp_path / "fast", labels=1))
    texts = [f"the cat {word}" for word in tiny.WORDS[:12]]
    models = LoadedModels(full, [fast], economy=Economy(fast_reranker=fast, contenders=3))
    alone = {name: LoadedModels(name).get(None).reranker.score(QUERY, texts) for name in (full, fast)}
    scores = models.get(None).reranker.score(QUERY, texts)
    contenders = np.argsort(-alone[fast].logits, kind="stable")[:3]

    assert scores.estimated is not None
    assert np.flatnonzero(~scores.estimated).tolist() == sorted(contenders.tolist())
    np.testing.assert_allclose(scores.logits[contenders], alone[full].logits[contenders], atol=0.02)
    np.testing.assert_allclose(models.get(fast).reranker.score(QUERY, texts).logits, alone[fast].logits, atol=0.02)


def test_two_ways_of_stopping_exclude_each_other(tmp_path: Path) -> None:
    """A cascade chooses among all candidates; a stop does not know them all."""
    flags = {"fast_reranker": "small", "stop_probability": 0.1}
    with pytest.raises(SettingError, match="fast_reranker and stop_probability exclude each other"):
        load_settings(flags, environ={}, directory=tmp_path)

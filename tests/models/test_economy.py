"""The settings that leave work out, as they reach the models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import SettingError
from rerank.core.settings import load_settings
from rerank.models.economy import Economy
from rerank.models.loading import LoadedModels
from tests.models import tiny

QUERY = "what is a cat"


def test_a_setting_puts_a_fast_reranker_before_every_other_one(tmp_path: Path) -> None:
    """The contenders' logits are the full model's; the fast model, asked for by name, stands alone."""
    full, fast = str(tiny.bert(tmp_path / "full", labels=1)), str(tiny.roberta(tmp_path / "fast", labels=1))
    texts = [f"the cat {word}" for word in tiny.WORDS[:12]]
    models = LoadedModels(full, [fast], economy=Economy(fast_reranker=fast, contenders=3))
    alone = {name: LoadedModels(name).get(None).reranker.score(QUERY, texts) for name in (full, fast)}
    scores = models.get(None).text_reranker.score(QUERY, texts)
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


def test_a_fast_reranker_needs_contenders(tmp_path: Path) -> None:
    """Without them the other one would read everything, and the fast one for nothing."""
    with pytest.raises(SettingError, match="a fast_reranker needs contenders"):
        load_settings({"fast_reranker": "small", "contenders": 0}, environ={}, directory=tmp_path)

"""Training files of other projects, accepted unchanged by the recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rerank.models.training.data.json_lines import Row
from rerank.models.training.options import DistillOptions, EncoderOptions, PairsOptions
from rerank.models.training.recipes.distill import train_distill
from rerank.models.training.recipes.encoder import train_encoder
from rerank.models.training.recipes.pairs import train_pairs
from tests.models import tiny
from tests.models.training import training_data

ROWS: dict[str, Sequence[Row]] = {
    "flag_embedding": [{"query": f"tea {n}", "pos": [f"green tea {n}"], "neg": ["a dog"]} for n in range(6)],
    "flag_embedding_with_scores": [
        {"query": f"tea {n}", "pos": [f"tea {n}"], "neg": ["a dog"], "pos_scores": [2.0], "neg_scores": [-1.0]}
        for n in range(6)
    ],
    "sentence_transformers": [
        {"anchor": f"tea {n}", "positive": f"green tea {n}", "negative": "a dog"} for n in range(6)
    ],
    "tevatron": [
        {
            "query_id": f"{n}",
            "query": f"tea {n}",
            "positive_passages": [{"docid": "1", "title": "", "text": f"green tea {n}"}],
            "negative_passages": [{"docid": "2", "title": "a", "text": "dog"}],
        }
        for n in range(6)
    ],
}


@pytest.fixture(params=ROWS)
def options(request: pytest.FixtureRequest, tmp_path: Path) -> PairsOptions:
    """Options of one step on a file in each format."""
    return PairsOptions(
        data=(training_data.write_lines(tmp_path / "data.jsonl", ROWS[request.param]),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=1,
        batch_size=2,
        evaluate_every=1,
        max_tokens=32,
    )


def test_pairs_encoder_and_distill_accept_every_format(options: PairsOptions, tmp_path: Path) -> None:
    """Scores are learned by `distill` without a teacher and ignored by the others."""
    assert train_pairs(options).steps == 1
    shared = {"data": options.data, "base": options.base, "max_steps": 1, "batch_size": 2, "evaluate_every": 1}
    assert train_encoder(EncoderOptions(**shared, output=tmp_path / "encoder")).steps == 1  # type: ignore[arg-type]
    scored = "pos_scores" in options.data[0].read_text()
    teacher = None if scored else options.output
    distill = DistillOptions(**shared, output=tmp_path / "distilled", teacher=teacher)  # type: ignore[arg-type]
    assert train_distill(replace(distill, layers=1)).steps == 1

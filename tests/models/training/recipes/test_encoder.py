"""End-to-end tests of `train encoder` with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.loading import load_encoder
from rerank.models.training.options import EncoderOptions
from rerank.models.training.recipes.encoder import train_encoder
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.recipes.test_pairs import assert_same_weights, stops

pytestmark = pytest.mark.slow

TEXTS = ["what is tea", "the dog in the cold"]


@pytest.fixture
def options(tmp_path: Path) -> EncoderOptions:
    """Options of a short run on translations."""
    return EncoderOptions(
        data=(training_data.translations(tmp_path / "translations.jsonl"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=3e-3,
        max_tokens=32,
    )


@pytest.fixture
def query_options(options: EncoderOptions, tmp_path: Path) -> EncoderOptions:
    """Options of a short run on queries with their passages."""
    return replace(options, data=(training_data.pairs(tmp_path / "pairs.jsonl"),), batch_size=4)


def test_folder_loads_in_sentence_transformers_too(options: EncoderOptions) -> None:
    """Both return the same vectors."""
    from sentence_transformers import SentenceTransformer

    report = train_encoder(options)
    ours = load_encoder(str(options.output)).encode_documents(TEXTS)
    theirs = SentenceTransformer(str(options.output), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    assert set(report.metrics) == {"cosine", "source_cosine", "accuracy"}
    metadata = json.loads((options.output / "rerank.json").read_text())
    assert (metadata["kind"], metadata["architecture"], metadata["languages"]) == (
        "encoder",
        "bi-encoder",
        ["en", "it"],
    )


def test_translations_approach_the_vectors_of_their_sources(options: EncoderOptions) -> None:
    """The vectors of the sources stay close to the teacher's."""
    data = (training_data.translations(options.output.parent / "many.jsonl", rows=300),)
    report = train_encoder(replace(options, data=data, max_steps=150, evaluate_every=50, join=3))
    assert report.metrics["cosine"] > report.before["cosine"] + 0.2
    assert report.metrics["accuracy"] > report.before["accuracy"]
    assert report.metrics["source_cosine"] > 0.9


def test_training_improves_retrieval_of_held_out_queries(query_options: EncoderOptions) -> None:
    """nDCG@10 rises well above that of the untrained model."""
    report = train_encoder(replace(query_options, max_steps=60, evaluate_every=20, teacher_weight=0.0))
    assert set(report.metrics) == {"ndcg@10", "mrr@10"}
    assert report.metrics["ndcg@10"] > report.before["ndcg@10"] + 0.1


def test_mini_batches_give_the_same_weights(query_options: EncoderOptions, tmp_path: Path) -> None:
    """Encoding a batch in parts does not change its loss."""
    full = train_encoder(replace(query_options, batch_size=12))
    parts = train_encoder(replace(query_options, batch_size=12, mini_batch=5, output=tmp_path / "parts"))
    ours, theirs = (load_encoder(str(report.model)).encode_documents(TEXTS) for report in (full, parts))
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_lists_pairs_and_beir_folders_can_be_mixed(query_options: EncoderOptions, tmp_path: Path) -> None:
    """Negatives are optional."""
    rows: list[dict[str, object]] = [
        {"query": "tea", "positive": "green tea", "negatives": ["a dog", "a cat"]},
        {"query": "cat", "positive": "the cat"},
    ]
    data = (training_data.write_lines(tmp_path / "lists.jsonl", rows), training_data.beir(tmp_path / "set"))
    assert train_encoder(replace(query_options, data=data)).steps == 6


@pytest.mark.parametrize("kind", ["translations", "queries"])
def test_interrupted_run_resumes_to_the_same_weights(
    options: EncoderOptions, query_options: EncoderOptions, tmp_path: Path, kind: str
) -> None:
    """The same call ends with the weights of an uninterrupted run."""
    uninterrupted = options if kind == "translations" else query_options
    train_encoder(uninterrupted)
    interrupted = replace(uninterrupted, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_encoder(replace(interrupted, on_progress=stops(at=4)))
    train_encoder(interrupted)
    assert_same_weights(uninterrupted.output, interrupted.output)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"it": "ciao"}', 'translations.jsonl:61: "en" must be a non-blank string, but it is missing'),
        ('{"en": "hi", "it": " "}', 'translations.jsonl:61: "it" must be a non-blank string, got'),
        ('{"en": "hi", "it": ["ciao"]}', 'translations.jsonl:61: "it" must be a non-blank string, got'),
    ],
)
def test_invalid_line_is_refused_with_its_location(options: EncoderOptions, line: str, expected: str) -> None:
    """The message names file, line and problem."""
    (file,) = options.data
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_encoder(options)
    assert expected in raised.value.message


def test_insufficient_data_is_refused(options: EncoderOptions, tmp_path: Path) -> None:
    """Fewer texts than a batch, one translated text only."""
    with pytest.raises(TrainingDataError, match="fewer than a batch of 999"):
        train_encoder(replace(options, batch_size=999))
    alone = training_data.write_lines(
        tmp_path / "alone.jsonl", [{"en": "tea"}, {"en": "dog"}, {"en": "tea", "it": "te"}]
    )
    with pytest.raises(TrainingDataError, match="at least 2 different texts with translations"):
        train_encoder(replace(options, data=(alone,)))


def test_unsuitable_bases_and_teachers_are_refused(options: EncoderOptions, tmp_path: Path) -> None:
    """A cross-encoder as base, a teacher with vectors of another length."""
    with pytest.raises(ModelInvalid, match="must be an encoder, got a reranker"):
        train_encoder(replace(options, base=tiny.bert(tmp_path / "cross", labels=1)))
    with pytest.raises(ModelInvalid, match=r"those of .* have 384"):
        train_encoder(replace(options, teacher="default"))

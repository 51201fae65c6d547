"""`train encoder` from end to end, with tiny models."""

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

TEXTS = ["what is tea", "the dog in the cold"]


@pytest.fixture
def options(tmp_path: Path) -> EncoderOptions:
    """A short run over translations."""
    return EncoderOptions(
        data=(training_data.translations(tmp_path / "twins.jsonl"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=3e-3,
        max_tokens=32,
    )


@pytest.fixture
def over_queries(options: EncoderOptions, tmp_path: Path) -> EncoderOptions:
    """A short run over queries with their passages."""
    return replace(options, data=(training_data.pairs(tmp_path / "pairs.jsonl"),), batch_size=4)


def test_the_folder_loads_here_and_in_sentence_transformers(options: EncoderOptions) -> None:
    """Both read the same vectors from it; the papers say what it is."""
    from sentence_transformers import SentenceTransformer

    report = train_encoder(options)
    ours = load_encoder(str(options.output)).encode_documents(TEXTS)
    theirs = SentenceTransformer(str(options.output), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    assert set(report.metrics) == {"cosine", "source_cosine", "accuracy"}
    said = json.loads((options.output / "rerank.json").read_text())
    assert (said["kind"], said["architecture"], said["languages"]) == ("encoder", "bi-encoder", ["en", "it"])


def test_translations_come_to_lie_where_their_sources_are(options: EncoderOptions) -> None:
    """Other words for the same: near to the teacher's vectors after the training, and the sources stay there."""
    data = (training_data.translations(options.output.parent / "many.jsonl", rows=300),)
    report = train_encoder(replace(options, data=data, max_steps=150, evaluate_every=50, join=3))
    assert report.metrics["cosine"] > report.before["cosine"] + 0.2
    assert report.metrics["accuracy"] > report.before["accuracy"]
    assert report.metrics["source_cosine"] > 0.9


def test_queries_come_to_lie_near_their_passages(over_queries: EncoderOptions) -> None:
    """What is learned holds for queries that were not."""
    report = train_encoder(replace(over_queries, max_steps=60, evaluate_every=20, teacher_weight=0.0))
    assert set(report.metrics) == {"ndcg@10", "mrr@10"}
    assert report.metrics["ndcg@10"] > report.before["ndcg@10"] + 0.1


def test_small_parts_of_a_batch_give_the_same_weights(over_queries: EncoderOptions, tmp_path: Path) -> None:
    """Encoded in parts and computed again on the way back, a batch teaches what it teaches as a whole."""
    whole = train_encoder(replace(over_queries, batch_size=12))
    parts = train_encoder(replace(over_queries, batch_size=12, mini_batch=5, output=tmp_path / "parts"))
    ours, theirs = (load_encoder(str(report.model)).encode_documents(TEXTS) for report in (whole, parts))
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_hard_negatives_and_beir_folders_can_be_learned_from(over_queries: EncoderOptions, tmp_path: Path) -> None:
    """Triples, pairs without a negative, and judgments over a corpus, mixed."""
    rows: list[dict[str, object]] = [
        {"query": "tea", "positive": "green tea", "negatives": ["a dog", "a cat"]},
        {"query": "cat", "positive": "the cat"},
    ]
    data = (training_data.write_lines(tmp_path / "lists.jsonl", rows), training_data.beir(tmp_path / "set"))
    assert train_encoder(replace(over_queries, data=data)).steps == 6


@pytest.mark.parametrize("kind", ["translations", "queries"])
def test_a_run_that_was_broken_off_goes_on(
    options: EncoderOptions, over_queries: EncoderOptions, tmp_path: Path, kind: str
) -> None:
    """The same weights as without a break."""
    whole = options if kind == "translations" else over_queries
    train_encoder(whole)
    broken = replace(whole, output=tmp_path / "broken")
    with pytest.raises(SystemExit):
        train_encoder(replace(broken, on_progress=stops(at=4)))
    train_encoder(broken)
    assert_same_weights(whole.output, broken.output)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"it": "ciao"}', 'twins.jsonl:61: "en" is missing or no text'),
        ('{"en": "hi", "it": " "}', 'twins.jsonl:61: "it" is missing or no text'),
        ('{"en": "hi", "it": ["ciao"]}', 'twins.jsonl:61: "it" is missing or no text'),
    ],
)
def test_a_bad_line_is_named(options: EncoderOptions, line: str, said: str) -> None:
    """File, line, and what is wrong."""
    (file,) = options.data
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_encoder(options)
    assert said in raised.value.message


def test_data_that_nothing_can_be_learned_from_is_refused(options: EncoderOptions, tmp_path: Path) -> None:
    """Texts without translations, one text only, fewer texts than a batch."""
    with pytest.raises(TrainingDataError, match="fewer than a batch of 999"):
        train_encoder(replace(options, batch_size=999))
    alone = training_data.write_lines(
        tmp_path / "alone.jsonl", [{"en": "tea"}, {"en": "dog"}, {"en": "tea", "it": "te"}]
    )
    with pytest.raises(TrainingDataError, match="fewer than 2 different texts with translations"):
        train_encoder(replace(options, data=(alone,)))


def test_bases_and_teachers_that_do_not_fit_are_refused(options: EncoderOptions, tmp_path: Path) -> None:
    """A cross-encoder is no encoder, and vectors of another length cannot be learned."""
    with pytest.raises(ModelInvalid, match="an encoder starts from an encoder"):
        train_encoder(replace(options, base=tiny.bert(tmp_path / "cross", labels=1)))
    with pytest.raises(ModelInvalid, match="vectors of 384 values"):
        train_encoder(replace(options, teacher="default"))

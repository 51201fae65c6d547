"""Rules for rerankers, with sentence-transformers as the reference."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

from rerank.core.errors import ModelInvalid
from rerank.models.architectures.joint import JointReranker
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.torch.placement import Placement
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE, TorchRuntime
from rerank.models.tokenizer import TextTokenizer
from tests.models import tiny
from tests.models.backends import OPENVINO_RUNTIMES

BF16 = TorchRuntime(Placement(torch.device("cpu"), torch.bfloat16))
QUERY = "what is a cat"
TEXTS = ["the dog and the green tea", "a cat " * 60, "x", "", "it is a cat .", "the dog and the green tea", "日本"]


def loaded(folder: Path, runtime: ModelRuntime = TORCH_REFERENCE) -> CrossEncoderReranker:
    """Returns the reranker in *folder*."""
    return CrossEncoderReranker.from_folder(ModelFolder.read(folder), runtime=runtime)


def joint(folder: Path, *, lower_layers: int = 1) -> Path:
    """Returns the folder of a joint reranker with a random head."""
    model = JointReranker.from_encoder(tiny.bert(folder / "encoder"), lower_layers=lower_layers)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    model.save(folder / "joint", tokenizer_from=folder / "encoder", dtype=torch.float32)
    return folder / "joint"


@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_cross_encoder_returns_logits_of_sentence_transformers(tmp_path: Path, build: Callable[..., Path]) -> None:
    """A third-party cross-encoder has the same scores as in sentence-transformers."""
    build(tmp_path, labels=1)
    pairs = [(QUERY, text) for text in TEXTS]
    expected = CrossEncoder(str(tmp_path), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())

    np.testing.assert_allclose(loaded(tmp_path).score(QUERY, TEXTS).logits, expected, atol=1e-5)


def test_model_without_token_types_gets_zeros(tmp_path: Path) -> None:
    """If tokenizer_config.json omits token types, all tokens have type 0, as in sentence-transformers."""
    tiny.bert(tmp_path, labels=1)
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    tiny.write_json(file, {**config, "model_input_names": ["input_ids", "attention_mask"]})
    pairs = [(QUERY, text) for text in TEXTS]
    expected = CrossEncoder(str(tmp_path), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())

    np.testing.assert_allclose(loaded(tmp_path).score(QUERY, TEXTS).logits, expected, atol=1e-5)


def test_two_labels_return_their_difference(tmp_path: Path) -> None:
    """The logit is the second label, which means relevant, minus the first."""
    tiny.bert(tmp_path, labels=2)
    pairs = [(QUERY, text) for text in TEXTS]
    labels = CrossEncoder(str(tmp_path), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())

    np.testing.assert_allclose(loaded(tmp_path).score(QUERY, TEXTS).logits, labels[:, 1] - labels[:, 0], atol=1e-5)


def test_three_labels_are_refused(tmp_path: Path) -> None:
    """The label that means relevant is unknown."""
    with pytest.raises(ModelInvalid, match=r"must have one label, .* got 3"):
        loaded(tiny.bert(tmp_path, labels=3))


@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_missing_head_is_refused(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """An encoder declared as a reranker would have a random head."""
    tiny.write_json(build(tmp_path) / "rerank.json", {"kind": "reranker", "architecture": "cross-encoder"})

    with pytest.raises(ModelInvalid, match=r"classifier.* is missing|the weights lack .*classifier"):
        loaded(tmp_path)


@pytest.mark.parametrize("lower_layers", [0, 1])
def test_joint_reranker_returns_the_logits_of_training(tmp_path: Path, lower_layers: int) -> None:
    """The inference network computes the logits of the training module."""
    folder = joint(tmp_path, lower_layers=lower_layers)
    reranker = loaded(folder)
    model = JointReranker.from_folder(folder)
    tokenizer = TextTokenizer.from_folder(ModelFolder.read(folder))
    template = tokenizer.single_template()

    def single_row(text: str) -> tuple[torch.Tensor, torch.Tensor]:
        (ids,) = tokenizer.texts([text], limit=60 - 4 - 4).ids
        row = torch.from_numpy(np.concatenate([template.before, ids, template.after]).astype(np.int64))[None]
        return row, torch.ones_like(row)

    texts = [text for text in TEXTS if len(text) < 100]
    with torch.inference_mode():
        expected = [
            float(model(single_row(QUERY), single_row(text), torch.zeros(1, dtype=torch.long))) for text in texts
        ]

    np.testing.assert_allclose(reranker.score(QUERY, texts).logits, expected, atol=1e-4)


@pytest.mark.parametrize("build", [lambda folder: tiny.bert(folder, labels=1), joint])
@pytest.mark.parametrize(("runtime", "tolerance"), [(TORCH_REFERENCE, 1e-5), (BF16, 1e-2), *OPENVINO_RUNTIMES])
def test_score_is_independent_of_its_batch(
    tmp_path: Path, build: Callable[[Path], Path], runtime: ModelRuntime, tolerance: float
) -> None:
    """A text has the same logit alone, in a batch, and with a deadline."""
    reranker = loaded(build(tmp_path), runtime)

    batched = reranker.score(QUERY, TEXTS).logits

    single = np.array([reranker.score(QUERY, [text]).logits[0] for text in TEXTS])
    with_deadline = reranker.score(QUERY, TEXTS, deadline=time.monotonic() + 3600).logits
    np.testing.assert_allclose(batched, single, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(batched, with_deadline, rtol=tolerance, atol=tolerance)


def test_tokens_and_truncation_are_reported(tmp_path: Path) -> None:
    """`tokens` counts query, text and special tokens. A text above the limit is truncated."""
    scores = loaded(tiny.bert(tmp_path, labels=1)).score(QUERY, ["the cat", "a cat " * 60])

    assert scores.tokens.tolist() == [4 + 2 + 3, 64]
    assert scores.truncated.tolist() == [False, True]
    assert not scores.query_truncated


@pytest.mark.parametrize("build", [lambda folder: tiny.bert(folder, labels=1), joint])
def test_query_of_ten_thousand_words_leaves_room_for_passages(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """The query is truncated and reported as such, and passages still change the score."""
    scores = loaded(build(tmp_path)).score("what is the green tea " * 2000, ["the cat", "one two three " * 30])

    assert scores.query_truncated
    assert scores.truncated.tolist() == [False, True]
    assert int(scores.tokens[1]) == 64
    assert scores.logits[0] != scores.logits[1]


def test_prompts_precede_both_texts(tmp_path: Path) -> None:
    """Query and document have their own prompts."""
    tiny.bert(tmp_path, labels=1)
    plain = loaded(tmp_path).score("what is tea", ["the cat"]).logits
    tiny.write_json(tmp_path / "rerank.json", {"prompts": {"query": "what is ", "document": "the "}})

    assert loaded(tmp_path).score("tea", ["cat"]).logits.tolist() == plain.tolist()


def test_no_texts_return_empty_scores(tmp_path: Path) -> None:
    """Empty arrays have the dtypes of other results."""
    scores = loaded(tiny.bert(tmp_path, labels=1)).score(QUERY, [])

    assert [len(values) for values in (scores.logits, scores.scored, scores.tokens, scores.truncated)] == [0, 0, 0, 0]
    assert (scores.logits.dtype.name, scores.scored.dtype.name) == ("float32", "bool")


@pytest.mark.parametrize("build", [lambda folder: tiny.bert(folder, labels=1), joint])
def test_concurrent_requests_return_equal_scores(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """Concurrent and sequential requests have equal scores, in shared and in separate batches."""
    reranker = loaded(build(tmp_path))
    queries = [f"what is {word}" for word in tiny.WORDS[:12]]
    expected = [reranker.score(query, TEXTS).logits for query in queries]
    logits: dict[str, NDArray[np.float32]] = {}

    threads = [
        threading.Thread(target=lambda query=query: logits.update({query: reranker.score(query, TEXTS).logits}))
        for query in queries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    np.testing.assert_allclose([logits[query] for query in queries], expected, atol=1e-5)


@pytest.mark.parametrize("query", ["a cat", "a cat " * 100])
@pytest.mark.parametrize("build", ["cross", "joint"])
def test_text_of_max_text_tokens_is_not_truncated(tmp_path: Path, build: str, query: str) -> None:
    """A text with one more token is truncated. The same holds for a truncated query."""
    reranker = loaded(tiny.bert(tmp_path / "cross", labels=1) if build == "cross" else joint(tmp_path))
    limit = reranker.max_text_tokens(query)
    texts = ["cat " * limit, "cat " * (limit + 1)]
    assert [len(spans) for spans in reranker.token_spans(texts)] == [limit, limit + 1]
    assert reranker.score(query, texts).truncated.tolist() == [False, True]

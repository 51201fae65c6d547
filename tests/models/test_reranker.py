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
    """The reranker of a folder."""
    return CrossEncoderReranker.from_folder(ModelFolder.read(folder), runtime=runtime)


def joint(folder: Path, *, apart_layers: int = 1) -> Path:
    """A joint reranker with a head that says something."""
    model = JointReranker.from_encoder(tiny.bert(folder / "encoder"), apart_layers=apart_layers)
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


def test_a_model_that_is_given_no_token_types_gets_none(tmp_path: Path) -> None:
    """Where the tokenizer's settings leave token types out, the reference reads all tokens as type 0, and so do we."""
    tiny.bert(tmp_path, labels=1)
    file = tmp_path / "tokenizer_config.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    tiny.write_json(file, {**said, "model_input_names": ["input_ids", "attention_mask"]})
    pairs = [(QUERY, text) for text in TEXTS]
    expected = CrossEncoder(str(tmp_path), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())

    np.testing.assert_allclose(loaded(tmp_path).score(QUERY, TEXTS).logits, expected, atol=1e-5)


def test_two_labels_rank_by_their_difference(tmp_path: Path) -> None:
    """The second label means relevant: its lead over the first is the logit."""
    tiny.bert(tmp_path, labels=2)
    pairs = [(QUERY, text) for text in TEXTS]
    labels = CrossEncoder(str(tmp_path), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())

    np.testing.assert_allclose(loaded(tmp_path).score(QUERY, TEXTS).logits, labels[:, 1] - labels[:, 0], atol=1e-5)


def test_three_labels_give_no_order(tmp_path: Path) -> None:
    """Which of three labels means relevant cannot be known."""
    with pytest.raises(ModelInvalid, match=r"must have one label, .* got 3"):
        loaded(tiny.bert(tmp_path, labels=3))


@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_a_head_that_was_not_stored_is_not_made_up(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """An encoder declared a reranker is refused; a random head would answer noise."""
    tiny.write_json(build(tmp_path) / "rerank.json", {"kind": "reranker", "architecture": "cross-encoder"})

    with pytest.raises(ModelInvalid, match=r"classifier.* is missing|the weights lack .*classifier"):
        loaded(tmp_path)


@pytest.mark.parametrize("apart_layers", [0, 1])
def test_a_joint_reranker_scores_as_it_was_trained(tmp_path: Path, apart_layers: int) -> None:
    """The fast arithmetic is that of the module that training runs."""
    folder = joint(tmp_path, apart_layers=apart_layers)
    ours = loaded(folder)
    model = JointReranker.from_folder(folder)
    tokenizer = TextTokenizer.from_folder(ModelFolder.read(folder))
    template = tokenizer.single_template()

    def alone(text: str) -> tuple[torch.Tensor, torch.Tensor]:
        (ids,) = tokenizer.texts([text], limit=60 - 4 - 4).ids
        row = torch.from_numpy(np.concatenate([template.before, ids, template.after]).astype(np.int64))[None]
        return row, torch.ones_like(row)

    texts = [text for text in TEXTS if len(text) < 100]
    with torch.inference_mode():
        expected = [float(model(alone(QUERY), alone(text), torch.zeros(1, dtype=torch.long))) for text in texts]

    np.testing.assert_allclose(ours.score(QUERY, texts).logits, expected, atol=1e-4)


@pytest.mark.parametrize("build", [lambda folder: tiny.bert(folder, labels=1), joint])
@pytest.mark.parametrize(("runtime", "tolerance"), [(TORCH_REFERENCE, 1e-5), (BF16, 1e-2), *OPENVINO_RUNTIMES])
def test_a_score_does_not_depend_on_its_batch(
    tmp_path: Path, build: Callable[[Path], Path], runtime: ModelRuntime, tolerance: float
) -> None:
    """Alone, among others, or under a deadline: the same logit."""
    reranker = loaded(build(tmp_path), runtime)

    together = reranker.score(QUERY, TEXTS).logits

    alone = np.array([reranker.score(QUERY, [text]).logits[0] for text in TEXTS])
    hurried = reranker.score(QUERY, TEXTS, deadline=time.monotonic() + 3600).logits
    np.testing.assert_allclose(together, alone, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(together, hurried, rtol=tolerance, atol=tolerance)


def test_tokens_and_cuts_are_told(tmp_path: Path) -> None:
    """Tokens count both texts and the special ones; a passage that did not fit is marked."""
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


def test_prompts_stand_before_both_texts(tmp_path: Path) -> None:
    """A model trained with prompts is asked with them."""
    tiny.bert(tmp_path, labels=1)
    plain = loaded(tmp_path).score("what is tea", ["the cat"]).logits
    tiny.write_json(tmp_path / "rerank.json", {"prompts": {"query": "what is ", "document": "the "}})

    assert loaded(tmp_path).score("tea", ["cat"]).logits.tolist() == plain.tolist()


def test_no_texts_give_no_scores(tmp_path: Path) -> None:
    """An empty request is an empty answer of the right types."""
    scores = loaded(tiny.bert(tmp_path, labels=1)).score(QUERY, [])

    assert [len(values) for values in (scores.logits, scores.scored, scores.tokens, scores.truncated)] == [0, 0, 0, 0]
    assert (scores.logits.dtype.name, scores.scored.dtype.name) == ("float32", "bool")


@pytest.mark.parametrize("build", [lambda folder: tiny.bert(folder, labels=1), joint])
def test_many_threads_get_the_scores_of_one(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """Requests at the same time do not disturb one another, in batches of their own and in shared ones."""
    reranker = loaded(build(tmp_path))
    queries = [f"what is {word}" for word in tiny.WORDS[:12]]
    expected = [reranker.score(query, TEXTS).logits for query in queries]
    found: dict[str, NDArray[np.float32]] = {}

    threads = [
        threading.Thread(target=lambda query=query: found.update({query: reranker.score(query, TEXTS).logits}))
        for query in queries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    np.testing.assert_allclose([found[query] for query in queries], expected, atol=1e-5)


@pytest.mark.parametrize("query", ["a cat", "a cat " * 100])
@pytest.mark.parametrize("build", ["cross", "joint"])
def test_the_room_of_a_text_is_what_is_read_beside_the_query(tmp_path: Path, build: str, query: str) -> None:
    """A text of so many tokens is read whole, one of a token more is cut: a cut query too."""
    reranker = loaded(tiny.bert(tmp_path / "cross", labels=1) if build == "cross" else joint(tmp_path))
    room = reranker.max_text_tokens(query)
    texts = ["cat " * room, "cat " * (room + 1)]
    assert [len(spans) for spans in reranker.token_spans(texts)] == [room, room + 1]
    assert reranker.score(query, texts).truncated.tolist() == [False, True]

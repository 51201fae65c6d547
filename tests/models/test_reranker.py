from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

from core.errors import ModelError, ModelInvalid, ModelOutputInvalid, ModelOverloaded
from core.protocols import RerankScores
from models.architectures.joint import JointReranker
from models.folder import ModelFolder
from models.reranker import MAX_WAITING, CrossEncoderReranker
from models.runtimes.torch import REFERENCE, Placement
from models.tokenizer import Ids, TextTokenizer
from tests.models import tiny

BF16 = Placement(torch.device("cpu"), torch.bfloat16)
QUERY = "what is a cat"
TEXTS = ["the dog and the green tea", "a cat " * 60, "x", "", "it is a cat .", "the dog and the green tea", "日本"]


def loaded(folder: Path, placement: Placement = REFERENCE) -> CrossEncoderReranker:
    """The reranker of a folder."""
    return CrossEncoderReranker.from_folder(ModelFolder.read(folder), placement=placement)


def joint(folder: Path, *, apart_layers: int = 1) -> Path:
    """A joint reranker with a head that says something."""
    model = JointReranker.from_encoder(tiny.bert(folder / "encoder"), apart_layers=apart_layers)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    model.save(folder / "joint", tokenizer_from=folder / "encoder", dtype=torch.float32)
    return folder / "joint"


class ScriptedNetwork:
    """A PairNetwork whose logit is the passage's number of tokens, and which calls *before_batch* first."""

    query_room = 8
    passage_room = 16
    overhead = 3

    def __init__(self, before_batch: Callable[[int], None] = lambda _: None, *, answer: float | None = None) -> None:
        self.batches: list[int] = []
        self._before_batch = before_batch
        self._answer = answer

    def read(self, query: Ids) -> ScriptedNetwork:
        return self

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        self.batches.append(len(passages))
        self._before_batch(len(self.batches))
        return np.array([len(ids) if self._answer is None else self._answer for ids in passages], dtype=np.float32)


def scripted(folder: Path, network: ScriptedNetwork, *, batch_tokens: int = 64) -> CrossEncoderReranker:
    """A reranker over a scripted network."""
    read = ModelFolder.read(tiny.bert(folder, labels=1), name="scripted")
    return CrossEncoderReranker(read, network, TextTokenizer.from_folder(read), batch_tokens=batch_tokens)


@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_a_cross_encoder_gives_the_logits_of_sentence_transformers(tmp_path: Path, build: Callable[..., Path]) -> None:
    """Anyone's cross-encoder scores here as it does where it was made."""
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
    with pytest.raises(ModelInvalid, match="3 labels give no order"):
        loaded(tiny.bert(tmp_path, labels=3))


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
@pytest.mark.parametrize(("placement", "tolerance"), [(REFERENCE, 1e-5), (BF16, 1e-2)])
def test_a_score_does_not_depend_on_its_batch(
    tmp_path: Path, build: Callable[[Path], Path], placement: Placement, tolerance: float
) -> None:
    """Alone, among others, or under a deadline: the same logit."""
    reranker = loaded(build(tmp_path), placement)

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
def test_a_query_of_ten_thousand_words_leaves_room_for_passages(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """The query is cut, which is told, and passages still make a difference."""
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
    assert done.max() < 16


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


def test_many_threads_get_the_scores_of_one(tmp_path: Path) -> None:
    """Requests at the same time do not disturb one another."""
    reranker = loaded(tiny.bert(tmp_path, labels=1))
    queries = [f"what is {word}" for word in tiny.WORDS[:12]]
    expected = [reranker.score(query, TEXTS).logits.tolist() for query in queries]
    found: dict[str, list[float]] = {}

    threads = [
        threading.Thread(target=lambda query=query: found.update({query: reranker.score(query, TEXTS).logits.tolist()}))
        for query in queries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [found[query] for query in queries] == expected

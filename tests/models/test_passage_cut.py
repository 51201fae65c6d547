"""Rules for the part of a long passage that is scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank.models.folder import ModelFolder
from rerank.models.passage_cut import cut
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.tokenizer import Ids, TextTokenizer
from tests.models import tiny
from tests.models.scripted import ScriptedNetwork

IDS = st.lists(st.integers(0, 9), max_size=60).map(lambda ids: np.array(ids, dtype=np.int32))


def ids(*values: int) -> Ids:
    """Returns token ids."""
    return np.array(values, dtype=np.int32)


def test_long_passage_keeps_head_and_matching_window() -> None:
    """A sixth of the tokens is the head; the other tokens are the window around the words of the query."""
    passage = np.arange(100, 200, dtype=np.int32)
    passage[60], passage[64] = 1, 2

    kept = cut(passage, ids(1, 2), tokens=12)

    assert kept[:2].tolist() == [100, 101]
    assert len(kept) == 12
    assert {1, 2} <= set(kept[2:].tolist())
    assert kept[2:].tolist() == passage[57:67].tolist()  # The matching words are in the middle of the window.


def test_rare_query_word_determines_the_window() -> None:
    """A word that occurs throughout the passage does not attract the window."""
    passage = np.array([7, 8] * 50, dtype=np.int32)
    passage[90] = 1

    assert 1 in cut(passage, ids(7, 1), tokens=12).tolist()


def test_passage_without_query_words_keeps_its_beginning() -> None:
    """Without a match, the first tokens are kept."""
    passage = np.arange(100, 200, dtype=np.int32)

    assert cut(passage, ids(1), tokens=12).tolist() == passage[:12].tolist()


@given(IDS, IDS, st.integers(1, 40))
def test_cut_keeps_length_and_order(passage: Ids, query: Ids, tokens: int) -> None:
    """The result has the requested length, or the whole passage: the head, then one contiguous window."""
    kept = cut(passage, query, tokens=tokens)
    head = tokens // 6
    windows = [passage[:head].tolist() + passage[i : i + tokens - head].tolist() for i in range(head, len(passage))]

    assert len(kept) == min(tokens, len(passage))
    assert kept.tolist() == passage.tolist() if len(passage) <= tokens else kept.tolist() in windows


def test_reranker_reports_cut_passages(tmp_path: Path) -> None:
    """`tokens` counts the scored tokens, and a cut passage is truncated."""
    folder = ModelFolder.read(tiny.bert(tmp_path, labels=1), name="scripted")
    reranker = CrossEncoderReranker(
        folder, ScriptedNetwork(), TextTokenizer.from_folder(folder), batch_tokens=64, passage_tokens=6
    )
    scores = reranker.score("what is a cat", ["the dog " * 5, "the dog"])

    assert scores.logits.tolist() == [6, 2]
    assert scores.truncated.tolist() == [True, False]

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
    """Token ids."""
    return np.array(values, dtype=np.int32)


def test_the_head_and_the_window_with_the_querys_words_are_kept() -> None:
    """A sixth from the beginning, and the rest around what the query asks for."""
    passage = np.arange(100, 200, dtype=np.int32)
    passage[60], passage[64] = 1, 2

    kept = cut(passage, ids(1, 2), tokens=12)

    assert kept[:2].tolist() == [100, 101]
    assert len(kept) == 12
    assert {1, 2} <= set(kept[2:].tolist())
    assert kept[2:].tolist() == passage[57:67].tolist()  # what matters stands in its middle


def test_a_rare_word_tells_a_part_from_another_and_a_frequent_one_does_not() -> None:
    """A word that stands everywhere draws the window nowhere."""
    passage = np.array([7, 8] * 50, dtype=np.int32)
    passage[90] = 1

    assert 1 in cut(passage, ids(7, 1), tokens=12).tolist()


def test_a_passage_without_the_querys_words_keeps_its_beginning() -> None:
    """Nothing speaks for another part."""
    passage = np.arange(100, 200, dtype=np.int32)

    assert cut(passage, ids(1), tokens=12).tolist() == passage[:12].tolist()


@given(IDS, IDS, st.integers(1, 40))
def test_a_cut_keeps_its_length_and_the_order(passage: Ids, query: Ids, tokens: int) -> None:
    """As many tokens as asked for, or all; the head first, then one stretch; no window covers more."""
    kept = cut(passage, query, tokens=tokens)
    head = tokens // 6
    windows = [passage[:head].tolist() + passage[i : i + tokens - head].tolist() for i in range(head, len(passage))]

    assert len(kept) == min(tokens, len(passage))
    assert kept.tolist() == passage.tolist() if len(passage) <= tokens else kept.tolist() in windows


def test_a_reranker_reads_the_part_that_matters_and_says_so(tmp_path: Path) -> None:
    """Tokens count what was read, and a cut passage is marked; a short one is read as it is."""
    folder = ModelFolder.read(tiny.bert(tmp_path, labels=1), name="scripted")
    reranker = CrossEncoderReranker(
        folder, ScriptedNetwork(), TextTokenizer.from_folder(folder), batch_tokens=64, passage_tokens=6
    )
    scores = reranker.score("what is a cat", ["the dog " * 5, "the dog"])

    assert scores.logits.tolist() == [6, 2]
    assert scores.truncated.tolist() == [True, False]

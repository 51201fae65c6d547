"""Rules for the lexical overlap of query and text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.lexical import MAX_WORDS, background_idf, stems


def overlap(query: str, *texts: str) -> list[float]:
    values: list[float] = background_idf().overlap(query, texts).tolist()
    return values


def test_stems_ignore_case_accents_and_endings() -> None:
    """Inflected forms of Italian and English words share a stem."""
    assert stems("Città, CITTA! resettare") == ["citta", "citta", "resett"]
    assert stems("installazioni installed") == ["instal", "instal"]


def test_words_of_unsegmented_scripts_become_character_pairs() -> None:
    """Han, Kana, Hangul and Thai text has no spaces between words."""
    assert stems("東京都 Tokyo") == ["東京", "京都", "tokyo"]
    assert stems("京") == ["京"]


def test_rare_words_count_more_than_function_words() -> None:
    """Function words of both languages have a low weight."""
    table = background_idf()
    assert max(table.idf("the"), table.idf("di")) < 0.1 < table.idf("passwo") < table.idf("zyxwvu")
    shared_word, shared_function_words = overlap("the password of the router", "password", "the the of")
    assert shared_word > shared_function_words


@pytest.mark.parametrize(("query", "text"), [("", "a text"), ("?!", "a text"), ("word", ""), ("word", "  ")])
def test_blank_query_or_text_has_no_overlap(query: str, text: str) -> None:
    """Without words the overlap is 0, without a division by zero."""
    assert overlap(query, text) == [0.0]


@given(st.text(max_size=60), st.lists(st.text(max_size=200), max_size=5))
def test_overlap_is_between_0_and_1_and_depends_on_one_text_alone(query: str, texts: list[str]) -> None:
    """The scale is fixed, so other texts of the request change nothing."""
    together = overlap(query, *texts)
    assert all(0.0 <= value <= 1.0 for value in together)
    assert together == [overlap(query, text)[0] for text in texts]


def test_words_beyond_the_limit_do_not_count() -> None:
    """The limit bounds the time for a long text."""
    assert overlap("needle", "hay " * MAX_WORDS + "needle") == [0.0]


def test_table_is_sorted_and_finite() -> None:
    """Binary search requires ascending keys."""
    table = background_idf()
    assert (np.diff(table.keys.astype(np.int64)) > 0).all()
    assert np.isfinite(table.values).all()
    assert table.values.min() > 0
    assert table.unknown >= table.values.max()

"""Rules for splitting documents into passages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.chunking import RULES, Chunker
from rerank.core.document import Document, Passage, headed
from rerank.core.errors import SettingError
from tests.fakes import FakeEncoder

WINDOW = 16
TEXTS = st.one_of(
    st.text(min_size=1, max_size=400),
    st.text(alphabet="aB .!?\n\t,。…é\u200b", min_size=1, max_size=400),
    st.lists(st.sampled_from(["Tea", "is", "brewed.", "J.", "e.g.", "hot!\n", "\n\n", "3.14", "。", "x" * 40])).map(
        " ".join
    ),
).filter(lambda text: bool(text.strip()))


def encoder(window: int = WINDOW) -> FakeEncoder:
    return FakeEncoder(max_tokens=window)


def tokens(text: str) -> int:
    return len(encoder().token_spans([text])[0])


def split(text: str, *, title: str = "", window: int = WINDOW, overlap: int = 0) -> tuple[Passage, ...]:
    return Chunker(encoder(window), overlap=overlap).passages([Document("d", text, title)])[0]


@given(TEXTS, st.text(max_size=60), st.integers(0, 12))
def test_passage_text_matches_its_offsets(text: str, title: str, overlap: int) -> None:
    """`text == document.text[start:end]`, stripped, numbered from 0, in order, without duplicates."""
    passages = split(text, title=title, overlap=overlap)
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert [passage.text for passage in passages] == [text[passage.start : passage.end] for passage in passages]
    assert all(passage.text == passage.text.strip() != "" for passage in passages)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(passages))


@given(TEXTS, st.text(max_size=60), st.integers(0, 12))
def test_passages_cover_every_character_except_white_space(text: str, title: str, overlap: int) -> None:
    """Splitting loses no text."""
    covered: set[int] = set()
    for passage in split(text, title=title, overlap=overlap):
        covered.update(range(passage.start, passage.end))
    assert {i for i, char in enumerate(text) if not char.isspace()} <= covered


@given(TEXTS, st.text(max_size=200), st.integers(0, 12))
def test_passage_with_title_fits_the_encoder(text: str, title: str, overlap: int) -> None:
    """The encoder never truncates a passage, including title and special tokens."""
    for passage in split(text, title=title, overlap=overlap):
        assert tokens(passage.headed_text) <= WINDOW - 2


@given(TEXTS)
def test_document_that_fits_is_one_passage(text: str) -> None:
    """Only white space at the ends is removed."""
    start = len(text) - len(text.lstrip())
    stripped = text.strip()
    assert split(text, window=512) == (Passage("d", 0, "", stripped, start, start + len(stripped)),)


def test_passage_ends_at_a_sentence_end() -> None:
    """The boundary is the last sentence end in the second half of the token budget."""
    text = "One two three four. Five six seven eight! Nine ten eleven twelve? Done."
    assert [passage.text for passage in split(text)] == [
        "One two three four. Five six seven eight!",
        "Nine ten eleven twelve? Done.",
    ]


def test_consecutive_passages_share_whole_sentences() -> None:
    """The overlap starts with a sentence, so that one passage has the context of both sides."""
    text = "A one two three four five. B six. C seven eight. D nine ten eleven. E twelve thirteen."
    passages = split(text, window=18, overlap=4)
    assert [passage.text for passage in passages] == [
        "A one two three four five. B six. C seven eight.",
        "C seven eight. D nine ten eleven. E twelve thirteen.",
    ]


def test_long_sentence_is_split_between_words() -> None:
    """No word is split."""
    text = " ".join(["word"] * 40)
    passages = split(text, overlap=3)
    assert [tokens(passage.text) for passage in passages] == [14, 14, 14, 7]
    assert {word for passage in passages for word in passage.text.split()} == {"word"}


def test_text_without_spaces_is_split_between_tokens() -> None:
    """Some scripts have no spaces. The passages contain the whole text."""
    text = "," * 100
    passages = split(text)
    assert "".join(passage.text for passage in passages) == text
    assert max(len(passage.text) for passage in passages) == 14


@pytest.mark.parametrize("stop", ["J. Smith", "ecc. and", "3. of"])
def test_period_within_a_sentence_does_not_end_it(stop: str) -> None:
    """Initials, and periods before a lower-case letter, are not sentence ends."""
    text = f"a b c d e f g h {stop} more of it without a stop until here"
    assert split(text)[0].text == f"a b c d e f g h {stop} more of it"


@pytest.mark.parametrize("end", ["。", "! ", "? ", "… ", '." ', ".\n", "\n\n", " .) "])
def test_sentence_ends_of_many_scripts_are_recognized(end: str) -> None:
    """The rules do not depend on the language: punctuation, also before quotes and brackets, and blank lines."""
    first = "a b c d e f g h i j" + end
    passages = split(first + "K l m n o p q r s t u")
    assert passages[0].text == first.strip()


def test_line_end_is_preferred_to_the_middle_of_a_line() -> None:
    """Lists and verses have no sentence ends."""
    text = "a b c d e f g h\ni j k l m n o p\nq r s t"
    assert [passage.text for passage in split(text)] == ["a b c d e f g h", "i j k l m n o p\nq r s t"]


def test_long_title_is_truncated_to_a_third_of_the_budget() -> None:
    """The remaining tokens are for the text, so that searches can match it."""
    title = " ".join(f"t{i}" for i in range(100))
    text = " ".join(f"w{i}" for i in range(30))
    passages = split(text, title=title)
    assert {passage.title for passage in passages} == {"t0 t1 t2 t3"}
    assert " ".join(passage.text for passage in passages) == text


def test_title_of_a_short_text_is_not_truncated() -> None:
    title = "one two three four five six seven eight nine ten"
    assert [passage.headed_text for passage in split("short text", title=title)] == [headed(title, "short text")]


def test_documents_keep_their_order_and_titles() -> None:
    """One tuple of passages per document, in input order."""
    documents = [Document("b", "Second text.", "Two"), Document("a", "First text.", "One")]
    assert Chunker(encoder()).passages(documents) == [
        (Passage("b", 0, "Two", "Second text.", 0, 12),),
        (Passage("a", 0, "One", "First text.", 0, 11),),
    ]
    assert Chunker(encoder()).passages([]) == []


def test_megabyte_of_text_is_split() -> None:
    """Time is linear in the length of a text."""
    text = "This sentence is one of very many, and says so. " * 21_000
    passages = split(text, window=256, overlap=32)
    assert len(text) > 1_000_000
    assert passages[-1].end == len(text.rstrip())
    assert all(passage.text.endswith(".") for passage in passages)


def test_max_tokens_above_the_encoder_limit_has_no_effect() -> None:
    """A passage is never longer than the encoder allows."""
    text = "word " * 60
    assert Chunker(encoder(), max_tokens=512).passages([Document("d", text)]) == Chunker(encoder()).passages(
        [Document("d", text)]
    )
    shorter = Chunker(encoder(), max_tokens=10, overlap=0).passages([Document("d", text)])[0]
    assert {tokens(passage.text) for passage in shorter} == {8, 4}


def test_rules_id_differs_between_chunkers_with_different_limits() -> None:
    """The id contains the token limit and the overlap."""
    chunkers = [Chunker(encoder()), Chunker(encoder(), max_tokens=10), Chunker(encoder(), overlap=1)]
    assert len({chunker.rules_id for chunker in chunkers}) == len(chunkers)
    assert Chunker(encoder(), max_tokens=512).rules_id == Chunker(encoder()).rules_id


def test_passages_under_the_current_rules_version_are_fixed() -> None:
    """A change of these offsets must increment RULES, so that the next ingest splits corpora again."""
    text = "One two three. Four five (six) seven!\nEight nine ten eleven\n\nTwelve e.g. thirteen, fourteen… Fifteen."
    ranges = [(passage.start, passage.end) for passage in split(text, title="Head", window=14, overlap=5)]
    assert (RULES, ranges) == (1, [(0, 37), (38, 82), (73, 101)])


def test_invalid_limits_are_refused() -> None:
    """A passage needs at least 8 tokens, and an overlap cannot be negative."""
    with pytest.raises(SettingError, match="max_tokens must be at least 8"):
        Chunker(encoder(), max_tokens=7)
    with pytest.raises(SettingError, match="overlap"):
        Chunker(encoder(), overlap=-1)

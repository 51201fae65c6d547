"""Rules of cutting documents into passages."""

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


def cut(text: str, *, title: str = "", window: int = WINDOW, overlap: int = 0) -> tuple[Passage, ...]:
    return Chunker(encoder(window), overlap=overlap).cut([Document("d", text, title)])[0]


@given(TEXTS, st.text(max_size=60), st.integers(0, 12))
def test_every_passage_is_a_piece_of_the_text_at_its_offsets(text: str, title: str, overlap: int) -> None:
    """`text == document.text[start:end]`, blank at neither end, numbered from 0, in order, never the same twice."""
    passages = cut(text, title=title, overlap=overlap)
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert [passage.text for passage in passages] == [text[passage.start : passage.end] for passage in passages]
    assert all(passage.text == passage.text.strip() != "" for passage in passages)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(passages))


@given(TEXTS, st.text(max_size=60), st.integers(0, 12))
def test_every_character_that_is_not_blank_lies_in_a_passage(text: str, title: str, overlap: int) -> None:
    """Nothing of a document is lost by cutting it."""
    covered: set[int] = set()
    for passage in cut(text, title=title, overlap=overlap):
        covered.update(range(passage.start, passage.end))
    assert {i for i, char in enumerate(text) if not char.isspace()} <= covered


@given(TEXTS, st.text(max_size=200), st.integers(0, 12))
def test_a_headed_passage_fits_the_window(text: str, title: str, overlap: int) -> None:
    """The encoder reads every passage to its end, title and special tokens included."""
    for passage in cut(text, title=title, overlap=overlap):
        assert tokens(passage.headed_text) <= WINDOW - 2


@given(TEXTS)
def test_a_document_that_fits_is_one_passage(text: str) -> None:
    """Cutting is for what does not fit; only blanks at the ends are left out."""
    start = len(text) - len(text.lstrip())
    stripped = text.strip()
    assert cut(text, window=512) == (Passage("d", 0, "", stripped, start, start + len(stripped)),)


def test_a_passage_ends_at_a_sentence_end() -> None:
    """The last sentence end in the second half of the room is taken."""
    text = "One two three four. Five six seven eight! Nine ten eleven twelve? Done."
    assert [passage.text for passage in cut(text)] == [
        "One two three four. Five six seven eight!",
        "Nine ten eleven twelve? Done.",
    ]


def test_consecutive_passages_share_whole_sentences() -> None:
    """The overlap begins with a sentence, so that what is said across a cut is read together."""
    text = "A one two three four five. B six. C seven eight. D nine ten eleven. E twelve thirteen."
    passages = cut(text, window=18, overlap=4)
    assert [passage.text for passage in passages] == [
        "A one two three four five. B six. C seven eight.",
        "C seven eight. D nine ten eleven. E twelve thirteen.",
    ]


def test_a_long_sentence_is_cut_between_words() -> None:
    """A sentence that fills the room is no reason to part a word."""
    text = " ".join(["word"] * 40)
    passages = cut(text, overlap=3)
    assert [tokens(passage.text) for passage in passages] == [14, 14, 14, 7]
    assert {word for passage in passages for word in passage.text.split()} == {"word"}


def test_a_text_without_blanks_is_cut_between_tokens() -> None:
    """Some scripts and all noise have no blanks; what is behind the first room is not lost."""
    text = "," * 100
    passages = cut(text)
    assert "".join(passage.text for passage in passages) == text
    assert max(len(passage.text) for passage in passages) == 14


@pytest.mark.parametrize("stop", ["J. Smith", "ecc. and", "3. of"])
def test_a_stop_within_a_sentence_does_not_end_it(stop: str) -> None:
    """Initials, and stops before a small letter, are no sentence ends."""
    text = f"a b c d e f g h {stop} more of it without a stop until here"
    assert cut(text)[0].text == f"a b c d e f g h {stop} more of it"


@pytest.mark.parametrize("end", ["。", "! ", "? ", "… ", '." ', ".\n", "\n\n", " .) "])
def test_sentence_ends_of_many_scripts_are_known(end: str) -> None:
    """The rules ask for no language: stops, also before quotes and brackets, and blank lines."""
    first = "a b c d e f g h i j" + end
    passages = cut(first + "K l m n o p q r s t u")
    assert passages[0].text == first.strip()


def test_a_line_end_is_better_than_the_middle_of_a_line() -> None:
    """Lists and verses have no stops."""
    text = "a b c d e f g h\ni j k l m n o p\nq r s t"
    assert [passage.text for passage in cut(text)] == ["a b c d e f g h", "i j k l m n o p\nq r s t"]


def test_a_huge_title_leaves_room_for_the_text() -> None:
    """A title is cut, in the passages, to a third of the room: a text that is never read could not be found."""
    title = " ".join(f"t{i}" for i in range(100))
    text = " ".join(f"w{i}" for i in range(30))
    passages = cut(text, title=title)
    assert {passage.title for passage in passages} == {"t0 t1 t2 t3"}
    assert " ".join(passage.text for passage in passages) == text


def test_a_title_stays_whole_where_the_text_leaves_it_room() -> None:
    """A short text needs no two thirds."""
    title = "one two three four five six seven eight nine ten"
    assert [passage.headed_text for passage in cut("short text", title=title)] == [headed(title, "short text")]


def test_documents_keep_their_order_and_titles() -> None:
    """One tuple of passages a document, in the order given."""
    documents = [Document("b", "Second text.", "Two"), Document("a", "First text.", "One")]
    assert Chunker(encoder()).cut(documents) == [
        (Passage("b", 0, "Two", "Second text.", 0, 12),),
        (Passage("a", 0, "One", "First text.", 0, 11),),
    ]
    assert Chunker(encoder()).cut([]) == []


def test_a_text_of_a_megabyte_is_cut() -> None:
    """Work grows with the length of a text, not with its square."""
    text = "This sentence is one of very many, and says so. " * 21_000
    passages = cut(text, window=256, overlap=32)
    assert len(text) > 1_000_000
    assert passages[-1].end == len(text.rstrip())
    assert all(passage.text.endswith(".") for passage in passages)


def test_max_tokens_never_exceeds_the_window() -> None:
    """What the encoder would cut off is never put into a passage."""
    text = "word " * 60
    assert Chunker(encoder(), max_tokens=512).cut([Document("d", text)]) == Chunker(encoder()).cut(
        [Document("d", text)]
    )
    shorter = Chunker(encoder(), max_tokens=10, overlap=0).cut([Document("d", text)])[0]
    assert {tokens(passage.text) for passage in shorter} == {8, 4}


def test_a_recipe_tells_chunkers_apart_that_cut_differently() -> None:
    """Window and overlap are in it; a wish beyond the encoder's window changes nothing."""
    chunkers = [Chunker(encoder()), Chunker(encoder(), max_tokens=10), Chunker(encoder(), overlap=1)]
    assert len({chunker.recipe for chunker in chunkers}) == len(chunkers)
    assert Chunker(encoder(), max_tokens=512).recipe == Chunker(encoder()).recipe


def test_the_rules_are_those_of_their_number() -> None:
    """The passages of this text under RULES: whoever cuts it elsewhere raises RULES, so that corpora are cut again."""
    text = "One two three. Four five (six) seven!\nEight nine ten eleven\n\nTwelve e.g. thirteen, fourteen… Fifteen."
    found = [(passage.start, passage.end) for passage in cut(text, title="Head", window=14, overlap=5)]
    assert (RULES, found) == (1, [(0, 37), (38, 82), (73, 101)])


def test_impossible_lengths_are_refused() -> None:
    """A passage needs room, and an overlap cannot be negative."""
    with pytest.raises(SettingError, match="max_tokens must be at least 8"):
        Chunker(encoder(), max_tokens=7)
    with pytest.raises(SettingError, match="overlap"):
        Chunker(encoder(), overlap=-1)

"""Rules for documents and passages."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import Document, MetadataValue, Passage, headed

DOCUMENT = Document("a", "text", "title", {"n": 1, "s": "x"})
METADATA: st.SearchStrategy[dict[str, MetadataValue]] = st.dictionaries(
    st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans() | st.lists(st.integers(), max_size=3)
)


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(DOCUMENT, text="texts"),
        dataclasses.replace(DOCUMENT, title="titles"),
        dataclasses.replace(DOCUMENT, text="titletext", title=""),
        dataclasses.replace(DOCUMENT, metadata={"n": 1}),
        dataclasses.replace(DOCUMENT, metadata={"n": "1", "s": "x"}),
        dataclasses.replace(DOCUMENT, metadata={"n": True, "s": "x"}),
        dataclasses.replace(DOCUMENT, metadata={"n": [1], "s": "x"}),
    ],
)
def test_changed_content_changes_the_hash(changed: Document) -> None:
    """All stored fields count, including their types."""
    assert changed.content_hash() != DOCUMENT.content_hash()


def test_changed_rules_id_changes_the_hash() -> None:
    """Different splitting rules return different passages of the same text."""
    assert len({DOCUMENT.content_hash(rules_id) for rules_id in ("", "128 tokens", "256 tokens")}) == 3


@given(st.text(), st.text(), METADATA)
def test_equal_content_has_equal_hashes(text: str, title: str, metadata: dict[str, MetadataValue]) -> None:
    """The id and the order of fields do not count. A hash has 16 bytes, written in hexadecimal."""
    first = Document("a", text, title, metadata)
    second = Document("b", text, title, dict(reversed(metadata.items())))
    assert first.content_hash() == second.content_hash()
    assert len(bytes.fromhex(first.content_hash())) == 16


def test_hash_is_stable_across_versions() -> None:
    """Indexes store the hash, so a change would encode every corpus again."""
    assert DOCUMENT.content_hash() == "c9353b28d4a6e7db10d82ac64d0d3691"


def test_passage_id_is_document_id_and_ordinal() -> None:
    passage = Passage("doc", 3, "Title", "some text", 10, 19)
    assert (passage.passage_id, passage.headed_text) == ("doc#3", "Title some text")


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [("T", "x", "T x"), ("", "x", "x"), ("T", "", "T"), ("", "", ""), (" T ", " x ", "T   x")],
)
def test_headed_text_is_title_and_text(title: str, text: str, expected: str) -> None:
    """One space joins them, and the result is stripped."""
    assert headed(title, text) == expected

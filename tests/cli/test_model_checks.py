from __future__ import annotations

from rerank.cli.model_checks import unread
from rerank.core.document import Document
from rerank.core.indexing import Indexer
from rerank.core.protocols import Index, IndexSpec
from tests.fakes import FakeEncoder
from tests.memory_store import InMemoryStore
from tests.models.test_language import TEXTS


def index_of(*codes: str) -> Index:
    """An index of twelve documents in turn in each of the languages."""
    encoder, store = FakeEncoder(), InMemoryStore()
    index = store.create("docs", IndexSpec(encoder.identity))
    Indexer(index, encoder).add(
        [Document(f"d{i}", f"{TEXTS[codes[i % len(codes)]]} number{i} word{i * i}") for i in range(12)]
    )
    store.publish(index)
    return store.open("docs")


def test_a_language_that_a_model_does_not_read_is_told() -> None:
    """Which, how much of it, and by whom."""
    said = list(unread(index_of("it"), {"english": ("en",), "both": ("en", "it"), "silent": ()}))
    assert said == [
        "100% of its passages look like it, which english does not say to read;"
        " search them by words (--mode text), or choose a model of that language"
    ]


def test_an_index_in_a_language_of_all_models_is_well() -> None:
    """Nothing is said."""
    assert list(unread(index_of("en"), {"english": ("en",), "both": ("en", "it")})) == []

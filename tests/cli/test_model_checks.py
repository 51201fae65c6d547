from __future__ import annotations

from rerank.cli.model_checks import unsupported_languages
from rerank.core.document import Document
from rerank.core.indexing import Indexer
from rerank.core.protocols import Index, IndexSpec
from tests.fakes import FakeEncoder
from tests.memory_store import InMemoryStore
from tests.models.test_language import TEXTS


def index_of(*codes: str) -> Index:
    """Returns an index of twelve documents that alternate between the languages *codes*."""
    encoder, store = FakeEncoder(), InMemoryStore()
    index = store.create("docs", IndexSpec(encoder.identity))
    Indexer(index, encoder).add(
        [Document(f"d{i}", f"{TEXTS[codes[i % len(codes)]]} number{i} word{i * i}") for i in range(12)]
    )
    store.publish(index)
    return store.open("docs")


def test_unsupported_language_is_reported_with_its_fraction() -> None:
    """The warning names the model, the language and its fraction. A model without languages is not reported."""
    warnings = list(unsupported_languages(index_of("it"), {"english": ("en",), "both": ("en", "it"), "unknown": ()}))
    assert warnings == [
        "100% of the passages appear to be in language it, which is not supported by english."
        " Search with --mode text, or choose a model for this language."
    ]


def test_supported_language_is_not_reported() -> None:
    assert list(unsupported_languages(index_of("en"), {"english": ("en",), "both": ("en", "it")})) == []

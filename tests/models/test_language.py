"""Rules for language detection."""

from __future__ import annotations

import pytest

from rerank.models.language import language_fractions, language_of

TEXTS = {
    "en": "The tower in Paris was the tallest building of the world until it was passed by another one.",
    "it": "La torre pendente è il campanile della cattedrale e non fu costruita con le regole di oggi.",
    "fr": "La tour est une construction dans le centre de la ville et elle est connue pour les arts.",
    "de": "Der Turm ist nicht der höchste der Stadt, und die Kirche wird von den Leuten besucht.",
    "es": "La torre es una de las más altas del país y se puede subir con los niños por el día.",
}


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_sentence_returns_its_language(code: str) -> None:
    """Function words identify the language of a sentence."""
    assert language_of(TEXTS[code]) == code


@pytest.mark.parametrize("text", ["", "tar -xzf archive.tar.gz", "12 34", "la", "Torre di Pisa"])
def test_text_without_function_words_returns_none(text: str) -> None:
    """Names, numbers and commands have no detectable language."""
    assert language_of(text) is None


def test_fractions_ignore_texts_without_a_language() -> None:
    """Fractions refer to texts with a known language, largest first."""
    texts = [TEXTS["it"], TEXTS["it"], "1 2 3", TEXTS["en"]]
    assert language_fractions(texts) == {"it": pytest.approx(2 / 3), "en": pytest.approx(1 / 3)}
    assert language_fractions(["1 2 3"]) == {}

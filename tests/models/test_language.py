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
def test_a_sentence_tells_its_language(code: str) -> None:
    """By its small words."""
    assert language_of(TEXTS[code]) == code


@pytest.mark.parametrize("text", ["", "tar -xzf archive.tar.gz", "12 34", "la", "Torre di Pisa"])
def test_what_has_too_few_words_tells_none(text: str) -> None:
    """Nothing is guessed from names, numbers and commands."""
    assert language_of(text) is None


def test_shares_are_of_the_texts_that_tell() -> None:
    """Largest first."""
    texts = [TEXTS["it"], TEXTS["it"], "1 2 3", TEXTS["en"]]
    assert language_fractions(texts) == {"it": pytest.approx(2 / 3), "en": pytest.approx(1 / 3)}
    assert language_fractions(["1 2 3"]) == {}

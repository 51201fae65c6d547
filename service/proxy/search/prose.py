"""Detection of values that are not prose: encoded data, identifiers, addresses and numbers."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_WORD = 40
"""Longest word of prose in ASCII characters. Longer ones are encoded data."""

_MAX_CHARACTERS = 2_000
"""Characters of a value that are examined."""


def is_prose(value: str) -> bool:
    """Returns True if *value* reads as text for people: a sentence, or a word without digits.

    Text in scripts without spaces, such as Chinese, is prose.
    """
    words = value[:_MAX_CHARACTERS].split()
    readable = sum(len(word) for word in words if _is_word(word))
    return 2 * readable > sum(len(word) for word in words)


def mostly_prose(values: Sequence[str]) -> bool:
    """Returns True if at least half of the *values* are prose, and if there are none."""
    return 2 * sum(is_prose(value) for value in values) >= len(values)


def _is_word(word: str) -> bool:
    if not any(character.isalpha() for character in word):
        return False
    if not word.isascii():
        return True
    if len(word) > _MAX_WORD or "://" in word or "@" in word or "_" in word:
        return False
    return not any(character.isdigit() for character in word)

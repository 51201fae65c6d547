"""Words of a query string: the text without operators, fields, ranges, weights and excluded terms.

A scanner replaces regular expressions, because its time is linear in the length of every text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

MAX_QUERY_STRING = 32_000
"""Longest query string in characters whose words are extracted: OpenSearch's search.query.max_query_string_length."""

_SIGNS = frozenset('+|()"*?[]{}<>=/')
_OPERATORS = frozenset({"AND", "OR", "&&", "||"})


def strip_query_syntax(syntax: str) -> str:
    """Returns the words of a query string: `green tea` for `title:"green tea" AND -milk^2`.

    Returns an empty string for a query string of more than MAX_QUERY_STRING characters.
    """
    if len(syntax) > MAX_QUERY_STRING:
        return ""
    return " ".join("".join(_QueryString(syntax).parts()).split())


@dataclass(frozen=True, slots=True)
class QueryFields:
    """Field names of a query string. unqualified: True if it also has words without a field."""

    names: tuple[str, ...]
    unqualified: bool

    @classmethod
    def of(cls, syntax: str) -> Self:
        """Returns the fields of a query string. One of more than MAX_QUERY_STRING characters has none."""
        if len(syntax) > MAX_QUERY_STRING:
            return cls((), True)
        scanner = _QueryString(syntax)
        words = "".join(scanner.parts()).split()
        # A field applies to the next word or to a group. Counting the words of groups would need a parser.
        return cls(tuple(dict.fromkeys(scanner.fields)), len(words) > len(scanner.fields) and not scanner.grouped)


class _Positions:
    """Positions that a scanner looks up in ascending order, each found once."""

    def __init__(self, text: str, found: Callable[[str, int], bool]) -> None:
        self._positions = [i for i in range(len(text)) if found(text, i)]
        self._first = 0

    def first_from(self, start: int) -> int | None:
        """Returns the first position that is not before *start*, or None."""
        while self._first < len(self._positions) and self._positions[self._first] < start:
            self._first += 1
        return self._positions[self._first] if self._first < len(self._positions) else None


class _QueryString:
    """Scanner of one query string.

    Methods with a position return the end of the part that starts there, or the position itself if there is none.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._quotes = _Positions(text, lambda text, i: text[i] == '"')
        self._parentheses = _Positions(text, lambda text, i: text[i] == ")")
        self._brackets = _Positions(text, lambda text, i: text[i] in "]}")
        self._to = _Positions(text, _is_to)
        self.fields: list[str] = []
        self.grouped = False

    def parts(self) -> Iterator[str]:
        """Yields the words of the text, and a space in place of each part of the syntax."""
        i = 0
        while i < len(self._text):
            end = self._syntax(i)
            if end > i:
                yield " "
            elif self._text[i] == "\\" and i + 1 < len(self._text):
                end = i + 2
                yield " " if self._text[i + 1] in _SIGNS else self._text[i + 1]
            else:
                end = max(i + 1, self._run(i, _is_word))
                yield self._text[i:end]
            i = end

    def _syntax(self, i: int) -> int:
        """Returns the end of an excluded term, a field, a range, a weight, an operator or a sign."""
        text = self._text
        if i == 0 or text[i - 1].isspace():
            end = self._excluded(i)
            if end > i:
                return end
        if i == 0 or text[i - 1].isspace() or text[i - 1] in "(+":
            end = self._field(i)
            if end > i:
                self.fields.append(text[i : end - 1].replace("\\", ""))
                self.grouped |= text[end] in '("'
                return end
        if text[i] in "[{":
            return self._range(i)
        if text[i] in "~^":
            return self._run(i + 1, _is_digit)
        return self._operator(i)

    def _excluded(self, i: int) -> int:
        """Returns the end of a term after `NOT`, `-` or `!`, with its field."""
        if self._text.startswith("NOT", i):
            start = self._run(i + 3, str.isspace)
            if start == i + 3:
                return i
        elif self._text[i] in "-!":
            start = i + 1
        else:
            return i
        start = self._field(start)
        closing = None
        if self._text.startswith('"', start):
            closing = self._quotes.first_from(start + 1)
        elif self._text.startswith("(", start):
            closing = self._parentheses.first_from(start + 1)
        end = self._run(start, _is_not_space) if closing is None else closing + 1
        return end if end > start else i

    def _field(self, i: int) -> int:
        """Returns the end of a field name and its colon, if a value follows."""
        end, text = i, self._text
        while end < len(text) and (_is_word(text[end]) or text[end] in ".*\\"):
            # An escaped colon belongs to the name.
            end += 2 if text[end] == "\\" else 1
        has_value = end + 1 < len(text) and not text[end + 1].isspace()
        return end + 1 if end > i and has_value and text[end] == ":" else i

    def _range(self, i: int) -> int:
        """Returns the end of a range, else of its bracket alone."""
        closing, to = self._brackets.first_from(i), self._to.first_from(i)
        return i + 1 if closing is None or to is None or to > closing else closing + 1

    def _operator(self, i: int) -> int:
        text = self._text
        if text[i : i + 2] in _OPERATORS and not _is_word(text[i]):
            return i + 2
        if text[i] in _SIGNS:
            return i + 1
        if _is_word(text[i]) and (i == 0 or not _is_word(text[i - 1])):
            end = self._run(i, _is_word)
            return end if text[i:end] in _OPERATORS else i
        return i

    def _run(self, i: int, belongs: Callable[[str], bool]) -> int:
        """Returns the end of the characters from *i* on that belong to a class."""
        while i < len(self._text) and belongs(self._text[i]):
            i += 1
        return i


def _is_to(text: str, i: int) -> bool:
    """Returns True if the word `TO` starts at *i*."""
    before, after = text[i - 1 : i], text[i + 2 : i + 3]
    return text.startswith("TO", i) and not (before and _is_word(before)) and not (after and _is_word(after))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_digit(character: str) -> bool:
    return character.isdecimal() or character == "."


def _is_not_space(character: str) -> bool:
    return not character.isspace()

"""Cutting documents into passages that fit the encoder.

A passage ends at a sentence end where the second half of its room holds one, else at a line end, else between two
words, else between two tokens. Consecutive passages share whole sentences, so that what is said across a cut is
read together at least once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Document, Passage
from rerank.core.errors import SettingError
from rerank.core.protocols import Encoder

OVERLAP = 32
"""Tokens that consecutive passages share at most: about two short sentences."""

SPECIAL_TOKENS = 2
"""Every encoder of this family frames a text with two."""

RULES = 1
"""Raised with every change of the rules below that cuts any text elsewhere: what was ingested before is cut again."""

_MIN_TOKENS = 8

_BREAK = re.compile(
    r"""(?P<stop>[.!?…][\])}"'”’»]*)\s+"""  # needs a blank behind it: 3.14, example.org
    r"""|[。！？｡][」』”’）)]*\s*"""  # scripts without blanks
    r"""|(?P<line>\n\s*)"""
)
_INITIAL = re.compile(r"(?<![^\W_])[^\W\d_]\.$")

_Indices = NDArray[np.int64]


class Chunker:
    """Cuts by the encoder's own tokens; the title, which heads every passage, counts as well.

    *max_tokens* is the length of a headed passage, special tokens included: the encoder's whole window when it is
    None, and never more than that. *overlap* is limited to a quarter of the room that the title leaves.
    Raises SettingError for a max_tokens below 8 or a negative overlap.
    """

    def __init__(self, encoder: Encoder, *, max_tokens: int | None = None, overlap: int = OVERLAP) -> None:
        window = encoder.max_tokens if max_tokens is None else min(max_tokens, encoder.max_tokens)
        if window < _MIN_TOKENS:
            raise SettingError(f"a passage has at least {_MIN_TOKENS} tokens, not {window}; raise max_tokens")
        if overlap < 0:
            raise SettingError(f"the overlap of passages is 0 tokens or more, not {overlap}")
        self._encoder = encoder
        self._budget = window - SPECIAL_TOKENS
        self._overlap = overlap

    @property
    def recipe(self) -> str:
        """What decides the passages beside the document and its encoder; part of a stored document's content hash."""
        return f"rules {RULES}, {self._budget} tokens, {self._overlap} shared"

    def cut(self, documents: Sequence[Document]) -> list[tuple[Passage, ...]]:
        """The passages of each document, in order: `text == document.text[start:end]`, blank at neither end.

        Every character that is not blank lies in a passage. A title that leaves the text too little room is cut, in
        the passage, to a third of it: headed_text is always read to its end.
        """
        spans = self._encoder.token_spans([text for document in documents for text in (document.title, document.text)])
        return [self._passages(document, spans[2 * i], spans[2 * i + 1]) for i, document in enumerate(documents)]

    def _passages(
        self, document: Document, title_spans: NDArray[np.int32], text_spans: NDArray[np.int32]
    ) -> tuple[Passage, ...]:
        title_room = max(self._budget // 3, self._budget - len(text_spans))
        title = document.title
        if len(title_spans) > title_room:
            title = title[: int(title_spans[title_room - 1][1])]
        room = self._budget - min(len(title_spans), title_room)
        cut = pieces(document.text, text_spans, room=room, overlap=self._overlap)
        stripped = [piece for piece in (_strip(document.text, *piece) for piece in cut) if piece[0] < piece[1]]
        return tuple(
            Passage(document.doc_id, ordinal, title, document.text[start:end], start, end)
            for ordinal, (start, end) in enumerate(stripped)
        )


def pieces(text: str, spans: NDArray[np.int32], *, room: int, overlap: int = OVERLAP) -> list[tuple[int, int]]:
    """Start and end characters of pieces of *text* with at most *room* tokens each, in order, as Chunker cuts them.

    *spans* (tokens, 2) are the characters behind its tokens. *overlap* is limited to a quarter of the room.
    """
    if len(spans) <= room:
        return [(0, len(text))]
    return _Cuts(text, spans).pieces(room, min(overlap, room // 4))


class _Cuts:
    """Where one text may be cut: indices of the tokens that a passage may begin with, by how good a cut it is."""

    def __init__(self, text: str, spans: NDArray[np.int32]) -> None:
        # Some tokenizers count the blank before a word to its token.
        starts = [int(start) + text[start].isspace() if start < len(text) else len(text) for start in spans[:, 0]]
        self._starts = np.maximum.accumulate(np.array(starts, dtype=np.int64))
        gaps = self._starts[1:] - spans[:-1, 1]
        self._length = len(text)
        self._tokens = len(spans)
        sentences, lines = self._breaks(text)
        words = np.flatnonzero(gaps > 0) + 1
        # Several tokens of one character are not parted.
        self._any = np.flatnonzero(gaps >= 0) + 1
        self._sentences = sentences
        self._words = words
        self._levels = (sentences, lines, words, self._any)

    def pieces(self, room: int, overlap: int) -> list[tuple[int, int]]:
        """Start and end characters of pieces of at most *room* tokens, the last *overlap* of them repeated."""
        pieces: list[tuple[int, int]] = []
        begin = reached = 0
        while self._tokens - begin > room:
            end = self._end(begin, room, reached)
            if end >= self._tokens:
                break
            pieces.append((self._char(begin), self._char(end)))
            begin, reached = self._next_begin(begin, end, overlap), end
        pieces.append((self._char(begin), self._length))
        return pieces

    def _char(self, token: int) -> int:
        return 0 if token == 0 else int(self._starts[token])

    def _end(self, begin: int, room: int, reached: int) -> int:
        """The best cut in the second half of the room; a cut beyond it only where one character fills it."""
        least = max(begin + room // 2, reached)
        for level in self._levels:
            end = _last_up_to(level, begin + room)
            if end > least:
                return end
        end = _last_up_to(self._any, begin + room)
        return end if end > max(begin, reached) else _first_from(self._any, begin + room, self._tokens)

    def _next_begin(self, begin: int, end: int, overlap: int) -> int:
        floor = max(end - overlap, begin + 1)
        sentence = _first_from(self._sentences, floor, end)
        if sentence <= end and _contains(self._sentences, sentence):
            return sentence
        return min(_first_from(self._words, floor, end), end)

    def _breaks(self, text: str) -> tuple[_Indices, _Indices]:
        sentences: list[int] = []
        lines: list[int] = []
        for found in _BREAK.finditer(text):
            line = found["line"]
            if line is not None:
                (sentences if "\n" in line[1:] else lines).append(found.end())
            elif found["stop"] is None or _ends_sentence(text, found):
                sentences.append(found.end())
        return self._token_at(sentences), self._token_at(lines)

    def _token_at(self, characters: list[int]) -> _Indices:
        tokens = np.searchsorted(self._starts, np.array(characters, dtype=np.int64), side="left")
        return np.unique(tokens[(tokens > 0) & (tokens < self._tokens)])


def _ends_sentence(text: str, found: re.Match[str]) -> bool:
    """Neither an initial (J. Smith) nor an abbreviation within a sentence (ecc. e altro); a blank line always."""
    if found[0].count("\n") > 1:
        return True
    if found.end() < len(text) and text[found.end()].islower():
        return False
    stop = found.start() + 1
    initial = _INITIAL.search(text, max(0, stop - 3), stop)
    return initial is None or not initial[0][0].isupper()


def _last_up_to(indices: _Indices, limit: int) -> int:
    at = int(np.searchsorted(indices, limit, side="right"))
    return int(indices[at - 1]) if at else 0


def _first_from(indices: _Indices, limit: int, default: int) -> int:
    at = int(np.searchsorted(indices, limit, side="left"))
    return int(indices[at]) if at < len(indices) else default


def _contains(indices: _Indices, value: int) -> bool:
    return _first_from(indices, value, -1) == value


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end

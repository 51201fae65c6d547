"""Wildcard patterns of OpenSearch: `*` stands for any characters, and every other character for itself."""

from __future__ import annotations


def matches_wildcard(text: str, pattern: str) -> bool:
    """Returns True if *pattern* matches the whole *text*, in time linear in both lengths."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *middle, last = others
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        # The first occurrence leaves the most text for the remaining pieces.
        start = text.find(piece, position, end)
        if start < 0:
            return False
        position = start + len(piece)
    return True

"""Prose rules that codespell cannot check: phrases to avoid, and the first word of a docstring.

`make check` runs this module. `.codespell.txt` lists single words to avoid.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("core", "index", "models", "ingest", "service", "cli", "tests", "benchmarks", "recipes")
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("recipes/*.md"),
        *ROOT.glob("models/*/*/*.md"),
    ]
    if page.name != "README.it.md"
)
MODULES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py") if not path.is_symlink())

AVOID = {
    r"goes on\b(?! to)": "continues, resumes",
    r"\bgo on (?:where|with|without)\b": "resume, continue",
    r"\bby address\b": "by IP address, by URL",
    r"\bthat there (?:is|are)\b": "name the thing",
    r"\bwhat is no\b": "name the thing",
    r"\b(?:is|are) to be (?!found\b)\w+": "must be",
    r"\bthere is nobody\b": "no client",
    r"\bnobody (?:waits|is there|sees)\b": "no client waits, unreachable, invisible",
    r"\bunless told otherwise\b": "by default",
    r"\b(?:is|are|was|were) told\b": "receives, is notified, is configured",
    r"\bout of time\b": "timeout",
    r"\bthe (?:two )?roads?\b": "path, pipeline",
    r"\b(?:one|third-party package) home\b": "module, package",
    r"\bre-rank": "rerank",
    r"\bin anybody's\b": "name the owner",
    r"\banyone's\b": "third-party, the user's",
    r"\bsomebody(?:'s)?\b": "the user, the client",
    r"\bwhole numbers?\b": "integer",
}
"""Phrases to avoid, as case-insensitive patterns, and what to write instead."""

FIRST_WORDS = (
    "What",
    "Whether",
    "How",
    "Who(?:ever)?",
    "Whose",
    "Whatever",
    "Where",
    "When",
    "Why",
    "That",
    "So",
    "No",
)
"""A docstring starts with a noun or a third-person verb, not with one of these."""


def comments_and_strings(module: Path) -> Iterator[tuple[int, str]]:
    """Yields line numbers and texts of the comments and of the string literals with at least one space."""
    source = module.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_prose = token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string)
        if is_prose or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            yield token.start[0], token.string


def docstrings(module: Path) -> Iterator[tuple[int, str]]:
    """Yields line numbers and texts of the docstrings of a module, its classes and its functions."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def phrases_to_avoid(text: str) -> list[str]:
    """Returns the phrases to avoid in *text*, each with its replacement."""
    return [
        f"{found.group()!r}: write {better}"
        for pattern, better in AVOID.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_plain_phrases(page: Path) -> None:
    """No page uses a phrase to avoid."""
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    assert [f"line {number}: {found}" for number, line in lines for found in phrases_to_avoid(line)] == []


def test_code_uses_plain_phrases() -> None:
    """No comment, docstring or message uses a phrase to avoid."""
    found = [
        f"{module.relative_to(ROOT)}:{line}: {phrase}"
        for module in MODULES
        if module != Path(__file__).resolve()
        for line, text in comments_and_strings(module)
        for phrase in phrases_to_avoid(text)
    ]
    assert found == []


def test_docstrings_start_with_a_noun_or_a_verb() -> None:
    """No docstring starts with a question word."""
    start = re.compile(rf"(?:{'|'.join(FIRST_WORDS)})\b")
    found = [
        f"{module.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for module in MODULES
        for line, text in docstrings(module)
        if start.match(text) and not (module.is_relative_to(ROOT / "tests") and "test_" in module.name)
    ]
    assert found == []

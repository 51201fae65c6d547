"""Every scanner of client text takes linear time.

The tests count executed bytecode instructions instead of seconds. Work inside C functions is not counted; the rule on
imports and the long texts cover it: no pattern of a client reaches `re`, and a quadratic pattern would take hours.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rerank.core import chunking, lexical, metadata
from rerank.core.errors import InvalidRequest
from rerank.index import query_words
from rerank.models import language
from rerank.service import path_redaction, patterns
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.eligibility import skip_reason
from rerank.service.proxy.search.filter_path import MAX_WILDCARD_STEPS, FilterPath
from rerank.service.proxy.search.hit_texts import MAX_PATTERNS, HitTexts
from rerank.service.proxy.search.neural import has_neural
from rerank.service.proxy.search.query_syntax import MAX_QUERY_STRING, strip_query_syntax
from rerank.service.proxy.search.query_text import MAX_TEXT, query_text
from rerank.service.proxy.search.rerank_options import MAX_PATH_CHARACTERS, parse_rerank_options
from rerank.service.proxy.search.skip_reason import SkipReason
from rerank.service.proxy.search.wildcard import matches_wildcard
from rerank.service.validation import check_unicode

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT_PATTERNS = {
    "index/query_words.py": "words",
    "index/search_server/server_info.py": "version of a search server",
    "service/path_redaction.py": "paths in messages",
    "service/patterns.py": "the service's patterns for client text",
}
"""Modules that can import `re` among those that get texts of clients first, with what they match."""

RESPONSE = {"took": 1, "hits": {"hits": [{"_id": str(i), "_source": {"a": {"b": i}}} for i in range(5)]}}


def instructions(run: Callable[[], object]) -> int:
    """Returns the number of bytecode instructions that *run* executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except InvalidRequest:
        pass
    finally:
        sys.settrace(previous)
    return count


def search(body: dict[str, Any], params: tuple[tuple[str, str], ...] = ()) -> SearchCall:
    return SearchCall("docs", params, body, ())


def extension(path: str, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "ext": {"rerank": {"query_context": {"query_text_path": path}}}}


SYNTAX = [
    "[TO ",
    "[",
    "{[",
    "[ TO",
    "TO]",
    '-"',
    "-(",
    " -(",
    "NOT ",
    " NOT",
    "a:",
    "a\\",
    "\\",
    "~1",
    "!a:",
    '" -(',
    "+(",
]
SCANNERS: dict[str, Callable[[int], object]] = {
    **{f"query_string {text!r}": lambda n, text=text: strip_query_syntax(text * n) for text in SYNTAX},  # type: ignore[misc]
    "clauses": lambda n: query_text({"bool": {"must": [{"match": {"a": f"tea {i}"}} for i in range(n)]}}),
    "neural clauses": lambda n: has_neural({"bool": {"must": [{"match": {"a": "tea"}}] * n}}),
    "wildcard": lambda n: matches_wildcard("a" * n, "*a" * n + "*b"),
    "filter_path names": lambda n: FilterPath.parse(",".join(f"a{i}.b" for i in range(n))).apply(dict(RESPONSE)),
    "filter_path depth": lambda n: FilterPath.parse("**" + ".a" * n).apply(dict(RESPONSE)),
    "filter_path any depth": lambda n: FilterPath.parse("**.a." * (n // 4)).apply(dict(RESPONSE)),
    "filter_path wildcards": lambda n: FilterPath.parse("**,*." * (n // 4)).apply(dict(RESPONSE)),
    "filter_path exclusions": lambda n: FilterPath.parse(",".join(["-**.a.**.b.**"] * n)).apply(dict(RESPONSE)),
    "fields": lambda n: HitTexts.for_search(search({"fields": [f"{i}*" for i in range(n)]}), ("title", "text")),
    "dots": lambda n: parse_rerank_options(extension("." * n, {"a": 1})),
    "dotted keys": lambda n: parse_rerank_options(extension("a." * n, {"a." * i + "a": {"a": 1} for i in range(n)})),
    "Unicode": lambda n: check_unicode({"a" * n: [0] * n}, "filter"),
    "indexes": lambda n: [matches_wildcard(part, "a*") for part in ("a," * n).split(",")],
}


@pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS.keys())
def test_scanner_of_client_text_takes_linear_time(scanner: Callable[[int], object]) -> None:
    """Twice the input takes at most about twice the instructions."""
    instructions(lambda: scanner(1))  # Imports and caches are not counted.
    counts = [instructions(lambda n=n: scanner(n)) for n in (100, 200, 400)]  # type: ignore[misc]
    assert counts[2] - counts[1] <= 2.3 * max(counts[1] - counts[0], 100), counts


PATTERNS = {
    f"{module.__name__} {name}": value
    for module in (patterns, path_redaction, chunking, lexical, metadata, query_words, language)
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
}
LONG = [
    text * (200_000 // len(text))
    for text in ("a", "a.", "'", "a'", " ", ". ", ".)", ")", "\n ", "1", "/a", "<", "<a:", "。", "-0")
]


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_pattern_for_client_text_takes_linear_time(pattern: re.Pattern[str]) -> None:
    """A quadratic pattern would run for hours on these texts."""
    for text in LONG:
        for candidate in (text, text + "\0"):
            pattern.fullmatch(candidate)
            sum(1 for _ in pattern.finditer(candidate))


def test_regular_expressions_are_imported_in_named_modules_only() -> None:
    """A module that matches client text by regular expressions or fnmatch needs a test of its patterns."""
    importing = set()
    for package in ("service", "index"):
        for file in (ROOT / package).rglob("*.py"):
            if {"re", "fnmatch", "glob"} & _imported(file):
                importing.add(str(file.relative_to(ROOT)))
    assert importing == set(MAY_IMPORT_PATTERNS)


def _imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_long_query_string_yields_no_text() -> None:
    """The limit is OpenSearch's own."""
    assert strip_query_syntax("tea " * (MAX_QUERY_STRING // 4)) != ""
    assert query_text({"query_string": {"query": "a" * (MAX_QUERY_STRING + 1)}}) is None
    assert query_text({"match": {"text": "a" * (MAX_TEXT + 1)}}) is None


def test_long_query_text_path_is_refused() -> None:
    """The message states the limit and not the path."""
    with pytest.raises(InvalidRequest, match=r'query_text_path" must have at most 1,000 characters, got 1,001$'):
        parse_rerank_options(extension("." * (MAX_PATH_CHARACTERS + 1), {}))


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({"fields": [f"{i}*" for i in range(MAX_PATTERNS + 1)]}, ()),
        ({"docvalue_fields": [{"field": f"{i}*"} for i in range(MAX_PATTERNS + 1)]}, ()),
        ({}, (("filter_path", "**.a." * (MAX_WILDCARD_STEPS + 1)),)),
    ],
)
def test_search_with_too_many_patterns_is_not_reranked(body: Any, params: Any) -> None:
    """The proxy forwards the search unchanged and reports the reason."""
    assert skip_reason(search(body, params)) is SkipReason.TOO_LARGE


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("title", "title", True),
        ("title", "*", True),
        ("title.en", "title*", True),
        ("title.en", "*.en", True),
        ("title.en", "t*e*n", True),
        ("aba", "ab*ba", False),
        ("abab", "*ab", True),
        ("title", "titl?", False),
        ("[a]", "[a]", True),
        ("", "*", True),
        ("", "**", True),
        ("a", "", False),
    ],
)
def test_wildcard_matches_the_whole_text(text: str, pattern: str, expected: bool) -> None:
    """Only `*` has a meaning, as in OpenSearch."""
    assert matches_wildcard(text, pattern) is expected

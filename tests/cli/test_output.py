"""Tests of tables in a pipe, and of paths in messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank.cli.output import absolute, print_fields, print_table, shortened, store_location


def test_table_in_a_pipe_is_plain_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per row, no colours, nothing truncated, no markup; numbers are right-aligned."""
    long = "word " * 100 + "end"
    print_table(["name", "count", "text"], [["a", 5, long], ["[red]bb[/red]", 1000, "x"]])
    assert capsys.readouterr().out.splitlines() == [
        "name           count  text",
        f"a                  5  {long}",
        "[red]bb[/red]   1000  x",
    ]


def test_fields_are_printed_without_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"name": "docs", "aliases": ["a", "b"]})
    assert capsys.readouterr().out.splitlines() == ["name     docs", "aliases  a, b"]


def test_text_is_shortened_to_one_line() -> None:
    assert shortened("one\ntwo  three", 20) == "one two three"
    assert shortened("one two three", 8) == "one two…"


def test_paths_are_absolute_and_passwords_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("runs") == str(tmp_path / "runs")
    assert store_location("data") == str(tmp_path / "data")
    assert store_location("http://user:secret@host:9200") == "http://user:***@host:9200"

"""Log of shadow mode and the report on it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from rerank.core.errors import InvalidInput, SettingError
from rerank.service.proxy.search.shadow_log import ShadowLog, ShadowRecord, older_file, read_shadow_log
from rerank.service.proxy.search.shadow_report import ShadowReport
from tests.cli.runner import CommandLine


def record(query: str, before: str, after: str, *, second: int = 0) -> ShadowRecord:
    """Returns a search whose hits have one letter as id, in index `i`."""
    keys = [tuple(("i", letter) for letter in order) for order in (before, after)]
    texts = (f"text {before[:1]}", f"text {after[:1]}")
    return ShadowRecord(f"2026-01-01T00:00:{second:02}+00:00", "i", query, "model", keys[0], keys[1], texts)


def test_report_counts_changes_and_lists_the_queries_that_change_most() -> None:
    """Queries count as equal without regard to case and spaces. Unchanged queries are not listed."""
    records = [
        record("tea", "abcd", "abcd", second=3),
        record("Green  Tea", "abcd", "bacd", second=1),
        record("green tea", "abcd", "abce", second=2),
        record("coffee", "abcd", "efab", second=5),
    ]
    report = ShadowReport.of(records, examples=1).to_json()
    assert report == {
        "searches": 4,
        "first": "2026-01-01T00:00:01+00:00",
        "last": "2026-01-01T00:00:05+00:00",
        "first_hit_changed": 0.5,
        "first_ten_changed": 0.5,
        "order_of_first_ten_changed": 0.75,
        "overlap_at_10": 0.8125,
        "queries": [
            {
                "query": "coffee",
                "index": "i",
                "searches": 1,
                "first_changed": 1,
                "overlap": 0.5,
                "first_hits": [
                    {"index": "i", "id": "a", "text": "text a"},
                    {"index": "i", "id": "e", "text": "text e"},
                ],
            }
        ],
    }
    both = ShadowReport.of(records, examples=10).queries
    assert [(query.query, query.searches, query.overlap) for query in both] == [
        ("coffee", 1, 0.5),
        ("green tea", 2, 0.875),
    ]


def test_log_is_private_and_has_a_limited_size(tmp_path: Path) -> None:
    """Only the owner can read both files. Threads append whole lines, and the newest records remain."""
    file = tmp_path / "shadow.jsonl"
    log = ShadowLog(file, max_bytes=4000)

    def append(start: int) -> None:
        for i in range(start, start + 25):
            log.append(record(f"query {i}", "ab", "ba"))

    threads = [threading.Thread(target=append, args=(start,)) for start in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.append(record("last", "ab", "ba"))
    files = (file, older_file(file))
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    assert all(path.stat().st_size <= 4000 for path in files)
    records = list(read_shadow_log(file))
    assert len(records) > 10
    assert records[-1] == record("last", "ab", "ba")


def test_incomplete_last_line_is_skipped_and_an_invalid_one_is_refused(tmp_path: Path) -> None:
    """The service may be writing the last line."""
    file = tmp_path / "shadow.jsonl"
    ShadowLog(file).append(record("tea", "ab", "ba"))
    with file.open("a") as stream:
        stream.write('{"time": "20')
    assert list(read_shadow_log(file)) == [record("tea", "ab", "ba")]
    file.write_text("{}\n")
    with pytest.raises(InvalidInput, match=r"shadow.jsonl:1: a line must be a record of shadow mode"):
        list(read_shadow_log(file))


def test_command_prints_the_report_of_the_file_in_the_setting(tmp_path: Path) -> None:
    """Without a file, the command names the setting."""
    rerank_cli = CommandLine(tmp_path)
    assert "RERANK_PROXY_SHADOW_LOG" in rerank_cli("shadow", "report").err
    log = tmp_path / "shadow.jsonl"
    ShadowLog(log).append(record("tea", "ab", "ba"))
    shown = rerank_cli("shadow", "report", RERANK_PROXY_SHADOW_LOG=str(log))
    assert (shown.code, "100.0%" in shown.out, "a: text a" in shown.out, "b: text b" in shown.out) == (0, *[True] * 3)
    assert rerank_cli("shadow", "report", "--log", str(log), "--json").json["searches"] == 1


def test_unusable_file_is_refused(tmp_path: Path) -> None:
    """The service does not start with a file that it cannot write; the report names the fix."""
    missing = tmp_path / "none" / "shadow.jsonl"
    with pytest.raises(SettingError, match="proxy_shadow_log: cannot write"):
        ShadowLog(missing)
    with pytest.raises(InvalidInput, match="Set RERANK_PROXY_SHADOW_LOG"):
        list(read_shadow_log(missing))

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from rerank.ingest.progress import BarProgress, LineProgress, SilentProgress, progress_on


class Terminal(io.StringIO):
    """Stream that reports to be a terminal."""

    def isatty(self) -> bool:
        return True


def clock(*seconds: float) -> Iterator[float]:
    yield from seconds


def test_line_is_written_after_each_interval() -> None:
    """Updates within the interval are not shown."""
    times = clock(0, 10, 12, 15, 17, 20)
    stream = io.StringIO()
    with LineProgress(stream, interval=5, clock=lambda: next(times)) as progress:
        progress.begin("indexing", size=1000)
        progress.advance(done=10, documents=1)
        progress.advance(done=100, documents=5000)
        progress.advance(done=150, documents=6000)
        progress.advance(done=1000, documents=50_000)
    assert stream.getvalue().splitlines() == [
        "indexing",
        "indexing: 10%, 5,000 documents, 1,000 documents/s, 0:45 left",
        "indexing: 100%, 50,000 documents, 5,000 documents/s, 0:00 left",
    ]


def test_remaining_time_is_shown_in_hours_or_as_unknown() -> None:
    """Without a size, the remaining time is unknown."""
    times = clock(0, 0, 60, 60, 120)
    stream = io.StringIO()
    progress = LineProgress(stream, clock=lambda: next(times))
    progress.begin("indexing", size=1000)
    progress.advance(done=10, documents=0)
    progress.begin("finishing", size=0)
    progress.advance(done=0, documents=0)
    assert stream.getvalue().splitlines() == [
        "indexing",
        "indexing: 1%, 0 documents, 0 documents/s, 1:39:00 left",
        "finishing",
        "finishing: 0%, 0 documents, 0 documents/s, unknown time left",
    ]


def test_bar_shows_stage_count_and_messages() -> None:
    """Square brackets in a message are not markup."""
    stream = Terminal()
    with BarProgress(stream) as progress:
        progress.advance(done=1, documents=1)
        progress.begin("reading", size=10)
        progress.begin("indexing", size=1000)
        progress.advance(done=500, documents=1234)
        progress.report("[the store] is unavailable")
        progress.begin("finishing", size=0)
    shown = stream.getvalue()
    for part in ("reading", "indexing", "1,234 documents", "left", "[the store] is unavailable", "finishing"):
        assert part in shown


def test_only_a_terminal_gets_a_bar() -> None:
    """Logs must not contain control characters."""
    assert isinstance(progress_on(Terminal()), BarProgress)
    assert isinstance(progress_on(io.StringIO()), LineProgress)


def test_silent_progress_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Callers can show their own progress."""
    with SilentProgress() as progress:
        progress.begin("indexing", size=1)
        progress.advance(done=1, documents=1)
        progress.report("done")
    assert capsys.readouterr() == ("", "")

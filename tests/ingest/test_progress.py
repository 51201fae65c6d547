"""Rules of showing progress."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from rerank.ingest.progress import BarProgress, LineProgress, SilentProgress, progress_on


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def clock(*seconds: float) -> Iterator[float]:
    yield from seconds


def test_lines_come_every_few_seconds() -> None:
    """With share, count, rate and time left; nothing in between."""
    times = clock(0, 10, 12, 15, 17, 20)
    stream = io.StringIO()
    with LineProgress(stream, seconds=5, clock=lambda: next(times)) as progress:
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


def test_long_times_are_told_in_hours() -> None:
    """Without a size the time left is not known."""
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
        "finishing: 0%, 0 documents, 0 documents/s, unknown left",
    ]


def test_a_bar_shows_the_same() -> None:
    """On a terminal: stage, share, count and rate, and messages as they are."""
    stream = Terminal()
    with BarProgress(stream) as progress:
        progress.advance(done=1, documents=1)
        progress.begin("reading", size=10)
        progress.begin("indexing", size=1000)
        progress.advance(done=500, documents=1234)
        progress.say("[the store] is away")
        progress.begin("finishing", size=0)
    shown = stream.getvalue()
    for part in ("reading", "indexing", "1,234 documents", "left", "[the store] is away", "finishing"):
        assert part in shown


def test_a_terminal_gets_a_bar_and_everything_else_lines() -> None:
    """Logs are not filled with control characters."""
    assert isinstance(progress_on(Terminal()), BarProgress)
    assert isinstance(progress_on(io.StringIO()), LineProgress)


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """For callers that show their own."""
    with SilentProgress() as progress:
        progress.begin("indexing", size=1)
        progress.advance(done=1, documents=1)
        progress.say("done")
    assert capsys.readouterr() == ("", "")

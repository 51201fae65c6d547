"""Rules for the number of available processors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rerank.models.processors import processors

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", ALLOWED), ("100000 100000", 1), ("50000 100000", 1), ("9900000 100000", ALLOWED), ("", ALLOWED)],
)
def test_container_quota_limits_the_processors(tmp_path: Path, quota: str, expected: int) -> None:
    """Threads beyond the quota would be paused for part of each period."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert processors(file) == expected


def test_missing_quota_uses_the_affinity(tmp_path: Path) -> None:
    """Without control groups, the affinity of the process is the limit."""
    assert processors(tmp_path / "missing") == ALLOWED

"""How many processors there are to use."""

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
def test_a_containers_quota_counts(tmp_path: Path, quota: str, expected: int) -> None:
    """Threads beyond the quota would be stopped for part of each tenth of a second."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert processors(file) == expected


def test_without_a_quota_the_affinity_counts(tmp_path: Path) -> None:
    """No control groups: what the process may run on."""
    assert processors(tmp_path / "missing") == ALLOWED

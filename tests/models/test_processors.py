"""Rules for the number of available processors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rerank.models.processors import has_bfloat16, has_int8_dot_product, processors

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags\t\t: fpu avx2 fma\n", False),
        ("flags : avx_vnni\n\nflags : avx2\n", False),
        ("", False),
    ],
)
def test_int8_dot_product_follows_from_the_flags_of_all_processors(tmp_path: Path, text: str, expected: bool) -> None:
    """A processor without the instruction overflows, so all of them must have it."""
    file = tmp_path / "cpuinfo"
    file.write_text(text, encoding="utf-8")
    assert has_int8_dot_product(file) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags : avx2 amx_bf16\n", True),
        ("Features : asimd bf16\n", True),
        ("flags : avx512_bf16\n\nflags : avx2\n", False),
    ],
)
def test_bfloat16_follows_from_the_flags_of_all_processors(tmp_path: Path, text: str, expected: bool) -> None:
    """Emulated bfloat16 is slower than float32."""
    file = tmp_path / "cpuinfo"
    file.write_text(text, encoding="utf-8")
    assert has_bfloat16(file) is expected


def test_unknown_processor_has_no_int8_dot_product(tmp_path: Path) -> None:
    """Seven bits are right everywhere."""
    assert has_int8_dot_product(tmp_path / "missing") is False

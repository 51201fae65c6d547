"""Processors that this process can use: their number and their instructions."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_CPU_INFO = Path("/proc/cpuinfo")
_DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Names of the instructions in Linux: x86 and ARM."""


def processors(quota: Path = _QUOTA) -> int:
    """Returns their number, at least 1, by affinity and by the quota of the container, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = quota.read_text(encoding="utf-8").split()
        return max(1, min(allowed, -(-int(limit) // int(period))))
    except (OSError, ValueError):  # No control groups, or no limit (the word "max").
        return allowed


@cache
def has_int8_dot_product(cpu_info: Path = _CPU_INFO) -> bool:
    """Returns True if the processor multiplies 8-bit integers and adds the products in 32 bits.

    Returns False if the system does not tell, because the answer False is safe.
    """
    return _has_any(_DOT_PRODUCTS, cpu_info)


@cache
def has_bfloat16(cpu_info: Path = _CPU_INFO) -> bool:
    """Returns True if the processor multiplies bfloat16 numbers; without these instructions float32 is as fast."""
    return _has_any(_BFLOAT16, cpu_info)


def _has_any(instructions: frozenset[str], cpu_info: Path) -> bool:
    """Returns True if every processor has one of the *instructions*."""
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    features = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return bool(features) and all(instructions & set(line.split()) for line in features)

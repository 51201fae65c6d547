"""How many processors this process may use: what its affinity and its container's quota allow."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors(quota: Path = _QUOTA) -> int:
    """At least 1. A quota of part of a processor more counts as a whole one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = quota.read_text(encoding="utf-8").split()
        return max(1, min(allowed, -(-int(limit) // int(period))))
    except (OSError, ValueError):  # no such file: no control groups; the word "max": no limit
        return allowed

"""Number of processors that this process can use, by its affinity and the quota of its container."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors(quota: Path = _QUOTA) -> int:
    """Returns the number of processors, at least 1. A fraction of a processor in the quota counts as one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = quota.read_text(encoding="utf-8").split()
        return max(1, min(allowed, -(-int(limit) // int(period))))
    except (OSError, ValueError):  # No control groups, or no limit (the word "max").
        return allowed

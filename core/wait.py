"""How long whoever asked waits for an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from rerank.core.protocols import Cancellation


@dataclass(frozen=True, slots=True)
class Wait:
    """Until `deadline` (time.monotonic() seconds), and as long as `cancellation` does not say that nobody waits."""

    deadline: float | None = None
    cancellation: Cancellation | None = None

    @classmethod
    def of(cls, timeout_ms: int | None, cancellation: Cancellation | None = None) -> Self:
        """From now on for *timeout_ms*; None sets no limit."""
        return cls(None if timeout_ms is None else time.monotonic() + timeout_ms / 1000, cancellation)


FOREVER = Wait()

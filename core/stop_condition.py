"""Conditions that end the scoring of a request early."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Self

from rerank.core.protocols import Cancellation


@dataclass(frozen=True, slots=True)
class StopCondition:
    """The `deadline` (time.monotonic() seconds, None: no limit) and the `cancellation` of one request."""

    deadline: float | None = None
    cancellation: Cancellation | None = None

    @classmethod
    def of(cls, timeout_ms: int | None, cancellation: Cancellation | None = None) -> Self:
        """Returns the condition with a deadline *timeout_ms* from now; None sets no deadline."""
        return cls(None if timeout_ms is None else time.monotonic() + timeout_ms / 1000, cancellation)

    def expired(self) -> bool:
        """Returns True once the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def with_half_the_time(self) -> StopCondition:
        """Returns this condition with a deadline after half of the remaining time."""
        if self.deadline is None:
            return self
        now = time.monotonic()
        return replace(self, deadline=now + max(self.deadline - now, 0.0) / 2)


NEVER = StopCondition()

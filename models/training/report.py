"""What a training run leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class TrainingReport:
    """The model's folder, its scores (`before`: the same scores untrained), and how long it took.

    steps: optimiser steps in all; best_step: the one whose weights were kept.
    """

    model: Path
    metrics: Mapping[str, float]
    before: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """As `rerank-cli train` prints it."""
        return {
            "model": str(self.model),
            "metrics": dict(self.metrics),
            "before": dict(self.before),
            "steps": self.steps,
            "best_step": self.best_step,
            "seconds": round(self.seconds, 1),
        }

    @classmethod
    def from_json(cls, content: object, model: Path) -> Self:
        """The report that to_json wrote, for the folder *model*, which may have moved since."""
        values = content if isinstance(content, dict) else {}
        return cls(**{**values, "model": model})

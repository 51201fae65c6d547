"""Result of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class TrainingReport:
    """Model folder, metrics after and before training, and duration of a run.

    `steps`: number of optimiser steps. `best_step`: step whose weights the model has.
    """

    model: Path
    metrics: Mapping[str, float]
    before: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Returns the output of `rerank-cli train --json`."""
        return {**asdict(self), "model": str(self.model), "seconds": round(self.seconds, 1)}

    @classmethod
    def from_json(cls, content: object, model: Path) -> Self:
        """Returns the report that to_json wrote. *model* is the folder's current path."""
        values = content if isinstance(content, dict) else {}
        return cls(**{**values, "model": model})

"""The files that describe a trained model: rerank.json and README.md, the model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.models.rerank_file import RERANK_FILE
from rerank.models.training.report import TrainingReport

CARD_FILE = "README.md"


@dataclass(frozen=True)
class ModelCard:
    """Description of a trained model. `base`: name of the base model. `run`: the run's parameters, as in RunFolder."""

    title: str
    kind: str
    architecture: str
    base: str
    max_tokens: int
    languages: Sequence[str]
    run: Mapping[str, object]
    use: str

    def write(self, folder: Path, report: TrainingReport) -> None:
        """Writes rerank.json and README.md. Raises OSError."""
        metadata = {
            "kind": self.kind,
            "architecture": self.architecture,
            "max_tokens": self.max_tokens,
            "languages": list(self.languages),
            "trained_on": sorted(Path(path).name for path in self._data),
            "licence": None,
            "base": self.base,
        }
        (folder / RERANK_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        (folder / CARD_FILE).write_text(self._text(folder.name, report), encoding="utf-8")

    @property
    def _data(self) -> Mapping[str, str]:
        data = self.run.get("data")
        return data if isinstance(data, dict) else {}

    def _text(self, name: str, report: TrainingReport) -> str:
        scores = _table(
            ("score", "before", "after"),
            [(key, f"{report.before.get(key, float('nan')):.4f}", f"{v:.4f}") for key, v in report.metrics.items()],
        )
        data = _table(("file", "SHA-256"), [(Path(path).name, digest) for path, digest in self._data.items()])
        settings = _table(
            ("setting", "value"),
            [(key, str(value)) for key, value in self.run.items() if key not in ("recipe", "data", "base")],
        )
        return (
            f"# {name}\n\n{self.title}, trained from {self.base} in {report.steps} steps. The weights are those of step"
            f" {report.best_step}, the best by evaluation.\n\n{self.use}\n\n## Scores\n\n{scores}\n\n"
            f"![Loss and evaluation](training.png)\n\n## Data\n\n{data}\n\n## Settings\n\n{settings}\n"
        )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""Plot of loss and evaluation metric over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PLOT_FILE = "training.png"


def plot_run(log: Sequence[Mapping[str, float]], file: Path, *, metric: str) -> None:
    """Writes a PNG of `loss` and `eval_` + *metric* from the log entries. Raises OSError."""
    figure = Figure(figsize=(8, 4.5), layout="tight")
    FigureCanvasAgg(figure)
    left = figure.add_subplot()
    left.set_xlabel("step")
    left.set_ylabel("loss")
    losses = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    left.plot([step for step, _ in losses], [loss for _, loss in losses], color="tab:blue", label="loss")
    right = left.twinx()
    right.set_ylabel(metric)
    scores = [(entry["step"], entry[f"eval_{metric}"]) for entry in log if f"eval_{metric}" in entry]
    right.plot([step for step, _ in scores], [score for _, score in scores], "o-", color="tab:orange", label=metric)
    figure.legend(loc="upper right")
    figure.savefig(file, format="png", dpi=100)

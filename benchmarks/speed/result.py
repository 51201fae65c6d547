"""One row of the table: a measurement and its goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Measurement of `what` in `unit`. `met` is None without a goal. `detail` describes the conditions."""

    what: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    detail: str = ""

    @classmethod
    def at_least(cls, what: str, value: float, unit: str, *, goal: float, detail: str = "") -> Result:
        """Returns a result whose value must be at least *goal*."""
        return cls(what, value, unit, f"at least {goal:g}", value >= goal, detail)

    @classmethod
    def at_most(cls, what: str, value: float, unit: str, *, goal: float, detail: str = "") -> Result:
        """Returns a result whose value must be at most *goal*."""
        return cls(what, value, unit, f"at most {goal:g}", value <= goal, detail)


def table(results: Sequence[Result]) -> str:
    """Returns the results as a Markdown table."""
    rows = ["| measurement | result | goal | | conditions |", "|---|---|---|---|---|"]
    marks = {True: "met", False: "missed", None: ""}
    rows += [
        f"| {result.what} | {result.value:.4g} {result.unit} | {result.goal} | {marks[result.met]} | {result.detail} |"
        for result in results
    ]
    return "\n".join(rows)

"""One line of the table: what was measured, beside what it was to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """`value` in `unit`; `goal` in words, `met` None where there is none; `detail` says under which conditions."""

    what: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    detail: str = ""

    @classmethod
    def at_least(cls, what: str, value: float, unit: str, *, goal: float, detail: str = "") -> Line:
        """A line whose value is to be *goal* or more."""
        return cls(what, value, unit, f"at least {goal:g}", value >= goal, detail)

    @classmethod
    def at_most(cls, what: str, value: float, unit: str, *, goal: float, detail: str = "") -> Line:
        """A line whose value is to be *goal* or less."""
        return cls(what, value, unit, f"at most {goal:g}", value <= goal, detail)


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown."""
    rows = ["| what | measured | goal | | how |", "|---|---|---|---|---|"]
    marks = {True: "met", False: "missed", None: ""}
    rows += [
        f"| {line.what} | {line.value:.4g} {line.unit} | {line.goal} | {marks[line.met]} | {line.detail} |"
        for line in lines
    ]
    return "\n".join(rows)

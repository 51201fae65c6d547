"""Runs in TREC format: `query_id Q0 doc_id rank score tag`, one line a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from rerank.core.errors import InvalidInput
from rerank.core.orders import ScoredDocument

Run = Mapping[str, Sequence[ScoredDocument]]
"""For each query_id its documents, best first."""

_BLANK = re.compile(r"\s")


def write_run(file: Path, run: Run, *, tag: str) -> None:
    """Write *run* to *file*. Raises InvalidInput when it cannot be written.

    Ranks start at 1. Scores fall strictly, also as the 32-bit numbers that trec_eval reads: it orders by score, and
    breaks ties its own way. White space in an id, which the format cannot hold, is percent-encoded.
    """
    try:
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            for query_id, documents in run.items():
                scores = _falling([document.score for document in documents])
                for rank, (document, score) in enumerate(zip(documents, scores, strict=True), start=1):
                    stream.write(f"{_name(query_id)} Q0 {_name(document.doc_id)} {rank} {score:.9g} {tag}\n")
    except OSError as exc:
        raise InvalidInput(f"{file}: cannot be written: {exc.strerror}; choose another --run-dir") from exc


def _falling(scores: Sequence[float]) -> list[float]:
    """*scores* as 32-bit numbers, each lowered to just below the one before where it is not below it already."""
    falling: list[float] = []
    last = np.float32(np.inf)
    for score in scores:
        last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        falling.append(float(last))
    return falling


def _name(name: str) -> str:
    return _BLANK.sub(lambda blank: quote(blank[0]), name)

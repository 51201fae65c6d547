"""Runs in TREC format: `query_id Q0 doc_id rank score tag`, one line per document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from rerank.core.errors import InvalidInput
from rerank.core.orders import ScoredDocument

Run = Mapping[str, Sequence[ScoredDocument]]
"""Documents by query id, best first."""

_WHITE_SPACE = re.compile(r"\s")


def write_run(file: Path, run: Run, *, tag: str) -> None:
    """Writes *run* to *file*. Raises InvalidInput if the file is not writable.

    Ranks start at 1. Scores decrease strictly, also as 32-bit floats, because trec_eval orders by score and breaks ties
    by its own rule. White space in ids is percent-encoded, because the format separates fields by it.
    """
    try:
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            for query_id, documents in run.items():
                scores = _strictly_decreasing([document.score for document in documents])
                for rank, (document, score) in enumerate(zip(documents, scores, strict=True), start=1):
                    stream.write(f"{_name(query_id)} Q0 {_name(document.doc_id)} {rank} {score:.9g} {tag}\n")
    except OSError as exc:
        raise InvalidInput(f"cannot write {file}: {exc.strerror}. Choose another --run-dir") from exc


def _strictly_decreasing(scores: Sequence[float]) -> list[float]:
    """Returns *scores* as 32-bit floats, each lowered to just below its predecessor unless it is lower already."""
    decreasing: list[float] = []
    last = np.float32(np.inf)
    for score in scores:
        last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        decreasing.append(float(last))
    return decreasing


def _name(name: str) -> str:
    return _WHITE_SPACE.sub(lambda match: quote(match[0]), name)

"""Writes the table of background document frequencies that `rerank.core.lexical` uses.

    python -m recipes.background_idf --data DIR --output core/background_idf.npz

DIR contains the set `sections`: Italian and English passages with their headings. A stem's frequency is the higher one
of both languages, so that a function word of either language has a low weight.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np

from rerank.core.lexical import stems

LANGUAGES = ("it", "en")
LEAST_PASSAGES = 3
"""A stem in fewer passages counts as unknown: its frequency is mostly chance."""
PASSAGES = 300_000
"""Number of passages to which the frequencies of both languages are scaled."""


def document_frequencies(folder: Path, language: str) -> tuple[int, Counter[str]]:
    """Returns the number of passages in *language*, and in how many of them each stem occurs."""
    passages, frequencies = 0, Counter[str]()
    for path in sorted(folder.glob(f"{language}_*.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = " ".join([row["query"], row.get("context") or "", row["passage"]])
                frequencies.update(set(stems(text)))
                passages += 1
    return passages, frequencies


def table(folder: Path) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Returns `keys`, `values` and `unknown`, as BackgroundIdf takes them; values in float16."""
    fractions: dict[str, float] = {}
    for language in LANGUAGES:
        passages, frequencies = document_frequencies(folder, language)
        for stem, count in frequencies.items():
            if count >= LEAST_PASSAGES:
                fractions[stem] = max(fractions.get(stem, 0.0), count / passages)
    keys = np.array([crc32(stem.encode()) for stem in fractions], dtype=np.uint32)
    counts = np.array(list(fractions.values())) * PASSAGES
    order = np.argsort(keys, kind="stable")
    return {
        "keys": keys[order],
        "values": _idf(counts)[order].astype(np.float16),
        "unknown": _idf(np.ones(1))[0].astype(np.float32),
    }


def _idf(
    counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.log1p((PASSAGES - counts + 0.5) / (counts + 0.5))


def main() -> None:
    """Reads the set and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    columns = table(options.data / "sections")
    np.savez_compressed(options.output, keys=columns["keys"], values=columns["values"], unknown=columns["unknown"])


if __name__ == "__main__":
    main()

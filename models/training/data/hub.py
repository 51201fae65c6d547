"""Data sets at the Hugging Face hub, written out as the files that the recipes read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rerank.core.errors import TrainingDataError, TrainingFailed
from rerank.models.training.distributed import main_process_first
from rerank.models.training.options import Language

PREFIX = "hf:"
HUB_FOLDER = "hub"
"""The folder in an output that holds what was written."""
Layout = Literal["pairs", "sentences", "entailments"]
_SECONDS = 5.0
"""A hub that has not answered by then is not reachable from here."""
_PARTS = {"train": "train", "validation": "dev", "dev": "dev", "test": "test"}
_QUERY = ("query", "anchor", "question")
_PASSAGE = ("positive", "passage", "answer", "context", "document")
_SCORE = ("score", "similarity_score", "label")
_DONE = ".done"
Row = Mapping[str, Any]


def resolve_datasets(
    paths: Sequence[Path], *, layout: Layout, folder: Path, language: Language = "en"
) -> tuple[Path, ...]:
    """*paths*, with each `hf:NAME[:CONFIG]` replaced by what was written of it in *folder*.

    A file for pairs; a folder with a file for each part otherwise. *language*: what the sentences are in. NAME may also
    be a folder that the `datasets` library reads. Raises TrainingDataError where a data set cannot be loaded or has
    other columns, TrainingFailed where it cannot be written.
    """
    return tuple(
        _written(str(path).removeprefix(PREFIX), layout, folder, language) if str(path).startswith(PREFIX) else path
        for path in paths
    )


def _written(name: str, layout: Layout, folder: Path, language: Language) -> Path:
    place = folder / re.sub(r"[^\w.-]+", "-", name).strip("-")
    with main_process_first():
        if (place / _DONE).exists():
            return place / "train.jsonl" if layout == "pairs" else place
        splits = _loaded(name)
        try:
            place.mkdir(parents=True, exist_ok=True)
            for split, rows in splits.items():
                part = _PARTS.get(split, "train" if len(splits) == 1 else None)
                if part is not None and (layout != "pairs" or part == "train"):
                    convert = _converter(layout, rows, language)
                    _write(place / f"{part}.jsonl", (convert(row, f"{PREFIX}{name} ({split})") for row in rows))
            (place / _DONE).touch()
        except OSError as exc:
            raise TrainingFailed(f"{place}: the data set {name} could not be written: {exc.strerror}") from exc
    return place / "train.jsonl" if layout == "pairs" else place


def _loaded(name: str) -> Mapping[str, Any]:
    """The splits of a data set by their names."""
    import datasets

    datasets.disable_progress_bars()
    said, _, config = name.partition(":")
    try:
        if not Path(said).is_dir() and not datasets.config.HF_HUB_OFFLINE:
            from huggingface_hub import HfApi

            # Asked for at once: the library would try five times before it gives up.
            HfApi().dataset_info(said, timeout=_SECONDS)
        loaded = datasets.load_dataset(said, config or None)
    except Exception as exc:  # the clients' errors have no common root, and all mean that there is no such data here
        problem = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise TrainingDataError(
            f"{PREFIX}{name}: the data set could not be loaded ({problem}); where no hub can be reached, name files or"
            " folders"
        ) from exc
    return dict(loaded)


def _converter(layout: Layout, rows: Any, language: Language) -> Callable[[Row, str], Row]:
    """From a row of the data set to a line of the layout."""
    if layout == "entailments":
        names = getattr(rows.features.get("label"), "names", None)
        return lambda row, place: _entailment(row, names, place)
    if layout == "sentences":
        column = _column(rows.column_names, _SCORE, "")
        # Some copies of the benchmark have scores from 0 to 1 instead of 0 to 5.
        scale = 5.0 if max(rows[column], default=5.0) <= 1.0 else 1.0
        return lambda row, place: _sentences(row, scale, language, place)
    return _pair


def _entailment(row: Row, names: Sequence[str] | None, place: str) -> Row:
    label = row.get("label")
    if isinstance(label, int):
        # -1 is how hub data sets write that the judges did not agree.
        label = "-" if label < 0 else names[label] if names and label < len(names) else label
    premise = row[_column(row, ("premise", "sentence1", "text"), place)]
    return {"premise": premise, "hypothesis": row[_column(row, ("hypothesis", "sentence2"), place)], "label": label}


def _sentences(row: Row, scale: float, language: Language, place: str) -> Row:
    both = [row[_column(row, (f"sentence{number}",), place)] for number in (1, 2)]
    languages = ("it", "en") if language == "both" else (language,)
    return {**dict.fromkeys(languages, both), "score": scale * float(row[_column(row, _SCORE, place)])}


def _pair(row: Row, place: str) -> Row:
    """Translations and lists as they are; a query with its passage under the names that the recipes read."""
    translation = row.get("translation")
    if isinstance(translation, Mapping):
        return translation
    if "label" in row or "scores" in row or not any(name in row for name in _QUERY):
        return row
    negatives = [value for key, value in row.items() if key.startswith("negative") and isinstance(value, str)]
    pair = {"query": row[_column(row, _QUERY, place)], "positive": row[_column(row, _PASSAGE, place)]}
    listed = row.get("negatives")
    return {**pair, "negatives": listed or negatives} if listed or negatives else pair


def _column(names: Iterable[str], wanted: Sequence[str], place: str) -> str:
    there = list(names)
    found = next((name for name in wanted if name in there), None)
    if found is None:
        raise TrainingDataError(
            f"{place or 'the data set'} has no column named {' or '.join(wanted)}; there are: {', '.join(there)}"
        )
    return found


def _write(file: Path, rows: Iterable[Row]) -> None:
    unfinished = file.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    unfinished.replace(file)

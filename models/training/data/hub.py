"""Datasets of the Hugging Face hub, written as the JSON Lines files that the recipes read."""

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
"""Name of the folder in the output that holds the written files."""
Layout = Literal["pairs", "sentences", "entailments"]
# datasets retries five times before it reports an unreachable hub.
_TIMEOUT_SECONDS = 5.0
_PARTS = {"train": "train", "validation": "dev", "dev": "dev", "test": "test"}
_QUERY = ("query", "anchor", "question")
_PASSAGE = ("positive", "passage", "answer", "context", "document")
_SCORE = ("score", "similarity_score", "label")
_COMPLETE = ".done"
HubRow = Mapping[str, Any]


def resolve_datasets(
    paths: Sequence[Path], *, layout: Layout, folder: Path, language: Language = "en"
) -> tuple[Path, ...]:
    """Returns *paths*, with each `hf:NAME[:CONFIG]` replaced by files in *folder*.

    The layout `pairs` writes one file, the others a folder with a file per part. *language*: language of the sentences.
    NAME can also be a local folder in a format of the `datasets` library. Raises TrainingDataError if a dataset cannot
    be loaded or lacks a column, TrainingFailed if it cannot be written.
    """
    return tuple(
        _resolve(str(path).removeprefix(PREFIX), layout, folder, language) if str(path).startswith(PREFIX) else path
        for path in paths
    )


def _resolve(name: str, layout: Layout, folder: Path, language: Language) -> Path:
    target = folder / re.sub(r"[^\w.-]+", "-", name).strip("-")
    with main_process_first():
        if not (target / _COMPLETE).exists():
            splits = _load(name)
            try:
                target.mkdir(parents=True, exist_ok=True)
                for split, rows in splits.items():
                    part = _PARTS.get(split, "train" if len(splits) == 1 else None)
                    if part is not None and (layout != "pairs" or part == "train"):
                        convert = _converter(layout, rows, language)
                        _write(target / f"{part}.jsonl", (convert(row, f"{PREFIX}{name} ({split})") for row in rows))
                (target / _COMPLETE).touch()
            except OSError as exc:
                raise TrainingFailed(f"{target}: cannot write the dataset {name}: {exc.strerror}.") from exc
    return target / "train.jsonl" if layout == "pairs" else target


def _load(name: str) -> Mapping[str, Any]:
    """Returns the splits of a dataset by name."""
    import datasets

    datasets.disable_progress_bars()
    dataset, _, config = name.partition(":")
    try:
        if not Path(dataset).is_dir() and not datasets.config.HF_HUB_OFFLINE:
            from huggingface_hub import HfApi

            HfApi().dataset_info(dataset, timeout=_TIMEOUT_SECONDS)
        return dict(datasets.load_dataset(dataset, config or None))
    except Exception as exc:  # the libraries' errors have no common base class
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise TrainingDataError(
            f"{PREFIX}{name}: cannot load the dataset: {reason}. Without access to the hub, name files or folders."
        ) from exc


def _converter(layout: Layout, rows: Any, language: Language) -> Callable[[HubRow, str], HubRow]:
    """Returns the function from a row of the dataset to a line of the layout."""
    if layout == "entailments":
        names = getattr(rows.features.get("label"), "names", None)
        return lambda row, location: _entailment(row, names, location)
    if layout == "sentences":
        column = _column(rows.column_names, _SCORE, "The dataset")
        # Some copies of the STS benchmark have scores from 0 to 1 instead of 0 to 5.
        scale = 5.0 if max(rows[column], default=5.0) <= 1.0 else 1.0
        return lambda row, location: _sentences(row, scale, language, location)
    return _pair


def _entailment(row: HubRow, names: Sequence[str] | None, location: str) -> HubRow:
    label = row.get("label")
    if isinstance(label, int):
        # Datasets of the hub use -1 for pairs whose annotators disagreed.
        label = "-" if label < 0 else names[label] if names and label < len(names) else label
    premise = row[_column(row, ("premise", "sentence1", "text"), location)]
    return {"premise": premise, "hypothesis": row[_column(row, ("hypothesis", "sentence2"), location)], "label": label}


def _sentences(row: HubRow, scale: float, language: Language, location: str) -> HubRow:
    pair = [row[_column(row, (f"sentence{number}",), location)] for number in (1, 2)]
    languages = ("it", "en") if language == "both" else (language,)
    return {**dict.fromkeys(languages, pair), "score": scale * float(row[_column(row, _SCORE, location)])}


def _pair(row: HubRow, location: str) -> HubRow:
    """Returns translations and rows in a known format unchanged; renames the columns of other pairs."""
    translation = row.get("translation")
    if isinstance(translation, Mapping):
        return translation
    known = any(key in row for key in ("label", "scores", "pos", "positive_passages"))
    if known or not any(key in row for key in _QUERY):
        return row
    negatives = {key: value for key, value in row.items() if key.startswith("negative") and value}
    query, positive = (row[_column(row, names, location)] for names in (_QUERY, _PASSAGE))
    return {"query": query, "positive": positive, **negatives}


def _column(names: Iterable[str], accepted: Sequence[str], location: str) -> str:
    found = list(names)
    column = next((name for name in accepted if name in found), None)
    if column is None:
        raise TrainingDataError(f"{location} must have a column {' or '.join(accepted)}, got {', '.join(found)}.")
    return column


def _write(file: Path, rows: Iterable[HubRow]) -> None:
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    part.replace(file)

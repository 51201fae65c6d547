"""Storage of a fit in the rerank.json of a model or of its copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rerank.core.calibration import Calibration
from rerank.core.errors import InvalidInput
from rerank.core.fusion import ScoreFusion
from rerank.models.catalog import BUILT_IN
from rerank.models.fitting.model_fit import Fitted
from rerank.models.folder import ModelFolder
from rerank.models.json_file import replace_json
from rerank.models.rerank_file import RERANK_FILE, read_object

_DECIMALS = 6


def target_folder(folder: ModelFolder, output: Path | None) -> Path:
    """Returns the folder for the fit of *folder*: *folder* itself, or the new folder *output*.

    Raises InvalidInput for a folder that is not writable and for an existing *output*. Called before long work.
    """
    if output is not None:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise InvalidInput(f"{output} already exists. Choose another --output")
        _check_writable(next(parent for parent in [output, *output.resolve().parents] if parent.exists()))
        return output
    if folder.path.resolve().is_relative_to(BUILT_IN.resolve()):
        raise InvalidInput(f"cannot change the built-in model {folder.name}. Write a copy with --output FOLDER")
    _check_writable(folder.path)
    return folder.path


def save_fit(fitted: Fitted, folder: ModelFolder, target: Path, *, fitted_on: Mapping[str, object]) -> None:
    """Writes fusion, calibration and min_score into *target*; copies *folder* to a different *target* first.

    rerank.json is replaced atomically and keeps its other keys. Raises InvalidInput if *target* is not writable.
    """
    try:
        if target != folder.path:
            shutil.copytree(folder.path, target, dirs_exist_ok=True)
        other_keys = _other_keys(target, copied=target != folder.path)
        replace_json(target / RERANK_FILE, {**other_keys, **_fit_keys(fitted, fitted_on)})
    except (OSError, shutil.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise InvalidInput(f"cannot write {target}: {reason}. Choose another --output") from exc


def _other_keys(target: Path, *, copied: bool) -> dict[str, object]:
    file = target / RERANK_FILE
    stored = read_object(file) if file.exists() else {}
    dropped = {"fusion", "calibration", "min_score", *(["default"] if copied else [])}
    return {key: value for key, value in stored.items() if key not in dropped}


def _fit_keys(fitted: Fitted, fitted_on: Mapping[str, object]) -> dict[str, object]:
    parameters = {"fused": _parameters(fitted.calibration), "logit": _parameters(fitted.logit_calibration)}
    keys: dict[str, object] = {
        "fusion": {**_weights(fitted.fusion), "fitted_on": dict(fitted_on)},
        "calibration": {"method": "platt", "parameters": parameters, "fitted_on": dict(fitted_on)},
    }
    if fitted.min_score is not None:
        keys["min_score"] = round(fitted.min_score, _DECIMALS)
    return keys


def _weights(fusion: ScoreFusion) -> dict[str, object]:
    weights = {"logit": 1.0, **fusion.weights}
    return {"features": list(weights), "weights": [round(weight, _DECIMALS) for weight in weights.values()]}


def _parameters(calibration: Calibration) -> dict[str, object]:
    return {
        "slope": calibration.slope,
        "intercept": calibration.intercept,
        "evidence": {name: asdict(evidence) for name, evidence in calibration.evidence.items()},
    }


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise InvalidInput(f"{folder} is not writable. Write a copy with --output FOLDER")

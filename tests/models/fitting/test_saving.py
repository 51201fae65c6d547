"""Rules for storing a fit with a model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rerank.core.calibration import Calibration, QueryEvidence
from rerank.core.errors import InvalidInput
from rerank.core.fusion import ScoreFusion
from rerank.models.catalog import resolve
from rerank.models.fitting.model_fit import FitReport, Fitted
from rerank.models.fitting.saving import save_fit, target_folder
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_ranking_model
from tests.models import tiny

REPORT = FitReport(
    queries=10,
    candidates=100,
    relevant=10,
    ndcg={"fitted": 1.0},
    fused_by="fitted",
    error_before=0.2,
    error_after=0.01,
    top_error=0.02,
    precision=0.5,
    hits=1.0,
    empty=0.5,
)
FITTED = Fitted(
    fusion=ScoreFusion({"cosine": 0.5, "lexical": 1.25}),
    calibration=Calibration(2.0, -3.0, {"best_cosine": QueryEvidence(1.5, 0.5)}),
    logit_calibration=Calibration(1.0, -1.0),
    min_score=0.25,
    report=REPORT,
)
FITTED_ON = {"data": "mine", "queries": 10}


@pytest.fixture
def cross(tmp_path: Path) -> ModelFolder:
    """Returns a third-party cross-encoder without rerank.json."""
    return ModelFolder.read(tiny.bert(tmp_path / "cross", labels=1))


def test_saved_fit_is_loaded_with_the_model(cross: ModelFolder) -> None:
    """The fit is stored in a folder without rerank.json and loaded from there. The fingerprint does not change."""
    save_fit(FITTED, cross, target_folder(cross, None), fitted_on=FITTED_ON)

    served = load_ranking_model(str(cross.path))
    assert served.fusion == FITTED.fusion
    assert (served.calibration, served.logit_calibration) == (FITTED.calibration, FITTED.logit_calibration)
    assert served.min_score == 0.25
    assert ModelFolder.read(cross.path).fingerprint == cross.fingerprint
    stored = json.loads((cross.path / "rerank.json").read_text(encoding="utf-8"))
    assert stored["fusion"] == {
        "features": ["logit", "cosine", "lexical"],
        "weights": [1.0, 0.5, 1.25],
        "fitted_on": FITTED_ON,
    }


def test_new_fit_replaces_only_the_earlier_fit(cross: ModelFolder) -> None:
    """Other keys of rerank.json stay. A fit without a cut-off removes an earlier min_score."""
    tiny.write_json(cross.path / "rerank.json", {"kind": "reranker", "languages": ["it"], "min_score": 0.9, "mine": 1})
    save_fit(
        Fitted(FITTED.fusion, FITTED.calibration, FITTED.logit_calibration, None, REPORT),
        cross,
        cross.path,
        fitted_on={},
    )
    stored = json.loads((cross.path / "rerank.json").read_text(encoding="utf-8"))
    assert (stored["languages"], stored["mine"], "min_score" in stored) == (["it"], 1, False)


def test_fit_in_a_copy_leaves_the_model_unchanged(cross: ModelFolder, tmp_path: Path) -> None:
    """--output copies the whole folder. It is required for built-in models."""
    target = target_folder(cross, tmp_path / "fitted")
    save_fit(FITTED, cross, target, fitted_on=FITTED_ON)
    assert not (cross.path / "rerank.json").exists()
    copied = ModelFolder.read(target)
    assert (copied.fingerprint, copied.rerank.min_score) == (cross.fingerprint, 0.25)
    with pytest.raises(InvalidInput, match=r"cannot change the built-in model .* --output FOLDER"):
        target_folder(resolve("default", role="reranker"), None)


def test_copy_of_the_default_model_is_not_the_default(cross: ModelFolder, tmp_path: Path) -> None:
    """The copy has no `default` key."""
    tiny.write_json(cross.path / "rerank.json", {"default": True})
    save_fit(FITTED, cross, tmp_path / "fitted", fitted_on=FITTED_ON)
    assert ModelFolder.read(tmp_path / "fitted").rerank.default is False


def test_existing_output_is_refused(cross: ModelFolder, tmp_path: Path) -> None:
    """An empty folder is accepted. A file and a folder with files are refused."""
    (tmp_path / "empty").mkdir()
    assert target_folder(cross, tmp_path / "empty") == tmp_path / "empty"
    with pytest.raises(InvalidInput, match="already exists"):
        target_folder(cross, cross.path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="already exists"):
        target_folder(cross, tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write to every folder")
def test_read_only_folder_is_refused_before_the_fit(cross: ModelFolder) -> None:
    """The error suggests --output."""
    cross.path.chmod(0o555)
    with pytest.raises(InvalidInput, match=r"is not writable. Write a copy with --output FOLDER"):
        target_folder(cross, None)


def test_failed_write_names_the_path(cross: ModelFolder, tmp_path: Path) -> None:
    """The error names the path and suggests another --output."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(InvalidInput, match=r"cannot write .*taken: .*\. Choose another --output"):
        save_fit(FITTED, cross, tmp_path / "taken", fitted_on={})

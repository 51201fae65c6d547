from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rerank.core.calibration import Calibration, QueryEvidence
from rerank.core.errors import ModelInvalid, ModelNotFound, SettingError
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion
from rerank.core.ranking import RankingModel
from rerank.models.compute_options import ComputeOptions
from rerank.models.loading import LoadedModels, load_encoder, load_ranking_model
from rerank.models.logit_scale import logit_deviation
from tests.models import tiny


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """A reranker's folder."""
    return tiny.bert(tmp_path / "cross", labels=1)


def test_the_default_encoder_loads_without_a_word() -> None:
    """In a fresh process: ready to encode, nothing on stdout or stderr, and no library beyond torch and tokenizers."""
    script = (
        "import sys; from rerank.models.loading import load_encoder; e = load_encoder('default');"
        "assert e.encode_queries(['tea']).shape == (1, e.dim); assert 'transformers' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_package_imports_no_heavy_library() -> None:
    """Commands that read no text start fast."""
    script = (
        "import sys, models.loading, models.catalog;"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_fusion_and_cut_off_come_from_the_folder(cross: Path) -> None:
    """What was fitted for the model is used with it, unless the cross-encoder is to rank alone."""
    unfitted = load_ranking_model(str(cross))
    assert unfitted.fusion == DEFAULT_FUSION.scaled(logit_deviation(unfitted.reranker))
    fusion = {"features": ["logit", "score_share"], "weights": [1, 0.5]}
    evidence = {"best_cosine": {"weight": 2.0, "typical": 0.5}}
    parameters = {"fused": {"slope": 1, "intercept": -2, "evidence": evidence}, "logit": {"slope": 3, "intercept": -4}}
    calibration = {"method": "platt", "parameters": parameters}
    tiny.write_json(cross / "rerank.json", {"fusion": fusion, "calibration": calibration, "min_score": 0.125})

    fitted, alone = load_ranking_model(str(cross)), load_ranking_model(str(cross), fusion="none")

    assert (fitted.fusion, fitted.min_score) == (ScoreFusion({"score_share": 0.5}), 0.125)
    assert fitted.calibration == Calibration(1.0, -2.0, {"best_cosine": QueryEvidence(2.0, 0.5)})
    assert (alone.fusion, alone.min_score) == (CROSS_ENCODER_ALONE, 0.125)
    assert alone.calibration == alone.logit_calibration == fitted.logit_calibration == Calibration(3.0, -4.0)


def test_stored_half_precision_is_read(tmp_path: Path) -> None:
    """Weights in float16 give the scores of the same weights in float32, but for their rounding."""
    exact = ComputeOptions("openvino", "float32")
    whole = load_ranking_model(str(tiny.bert(tmp_path / "whole", labels=1)), compute=exact).reranker
    half = load_ranking_model(str(tiny.bert(tmp_path / "half", labels=1, half=True)), compute=exact).reranker
    texts = ["the cat", "green tea in the cold"]

    np.testing.assert_allclose(half.score("what", texts).logits, whole.score("what", texts).logits, atol=0.05)


def test_a_model_made_for_something_else_ranks_with_a_warning(cross: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Similarity is not relevance: it is allowed, and said."""
    tiny.write_json(cross / "rerank.json", {"kind": "similarity"})

    with caplog.at_level(logging.WARNING, logger="models"):
        model = load_ranking_model(str(cross))

    said = f"{cross} was trained on sentence similarity: it finds paraphrases of a query, not its answers"
    assert ([record.getMessage() for record in caplog.records], model.warning) == ([said], said)


def test_a_runtime_that_is_not_available_is_a_setting_error(cross: Path) -> None:
    """The error says what to set."""
    compute = ComputeOptions("torch", "int8")
    with pytest.raises(
        SettingError,
        match=r"precision int8 is not available for .* Set runtime or precision to auto",
    ):
        load_encoder("default", compute=compute)
    with pytest.raises(SettingError, match="torch with precision int8"):
        load_ranking_model(str(cross), compute=compute)


def test_a_model_of_the_wrong_kind_is_refused(cross: Path) -> None:
    """Each loader takes what can do its work."""
    with pytest.raises(ModelInvalid, match="cannot be the encoder"):
        load_encoder(str(cross))
    with pytest.raises(ModelInvalid, match="cannot be the reranker"):
        load_ranking_model("all-MiniLM-L6-v2")


def test_a_config_against_its_weights_is_refused_at_load(cross: Path) -> None:
    """A folder whose files do not belong together fails when it is loaded, not at a user's first query."""
    config = (cross / "config.json").read_text(encoding="utf-8")
    (cross / "config.json").write_text(config.replace('"hidden_size": 32', '"hidden_size": 48'), encoding="utf-8")

    with pytest.raises(ModelInvalid, match=r"the weights do not match config\.json"):
        load_ranking_model(str(cross))


def test_requests_name_the_configured_models(cross: Path, tmp_path: Path) -> None:
    """None and `default` are the default one; the others are loaded when first asked for, once."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other), str(cross)])

    assert models.names == (str(cross), str(other))
    assert models.get(None) is models.get("default") is models.get(str(cross))
    assert models.get(str(other)) is models.get(str(other))
    assert models.get(str(other)).reranker.name == str(other)


def test_default_is_called_by_its_built_in_name(tmp_path: Path) -> None:
    """A built-in model answers to its name and to `default`."""
    tiny.bert(tmp_path / "small", labels=1)
    tiny.write_json(tmp_path / "small" / "rerank.json", {"default": True})

    models = LoadedModels("default", shipped=tmp_path)

    assert models.names == ("small",)
    assert models.get("small") is models.get("default")


def test_a_name_that_is_not_configured_is_not_found(cross: Path) -> None:
    """A request cannot make the service load whatever it names; the error lists what it may."""
    models = LoadedModels(str(cross))

    with pytest.raises(ModelNotFound, match=f'reranker "all-MiniLM-L6-v2" is not configured. Configured: {cross}'):
        models.get("all-MiniLM-L6-v2")


def test_another_model_that_cannot_be_loaded_does_not_stop_the_default(cross: Path, tmp_path: Path) -> None:
    """It is an error for those who name it, and the model's and not the request's: it was configured."""
    (tmp_path / "broken").mkdir()
    models = LoadedModels(str(cross), [str(tmp_path / "broken"), str(tmp_path / "missing")])

    with pytest.raises(ModelInvalid, match=r"has no config\.json"):
        models.get(str(tmp_path / "broken"))
    with pytest.raises(ModelInvalid, match="not a built-in model or a folder"):
        models.get(str(tmp_path / "missing"))
    assert models.get(None).reranker.name == str(cross)


def test_a_default_that_cannot_be_loaded_fails_at_once(tmp_path: Path) -> None:
    """A service learns it at start."""
    with pytest.raises(ModelNotFound):
        LoadedModels(str(tmp_path / "missing"))


def test_many_threads_load_a_model_once(cross: Path, tmp_path: Path) -> None:
    """All get the same one."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other)])
    found: list[RankingModel] = []
    threads = [threading.Thread(target=lambda: found.append(models.get(str(other)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 8
    assert len({id(model) for model in found}) == 1


def test_contenders_setting_applies_to_every_loaded_model(cross: Path, tmp_path: Path) -> None:
    """Requests that name another reranker score as many candidates as requests for the default one."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other)], contenders=3)
    assert [models.get(name).contenders for name in models.names] == [3, 3]

"""Rules for loading the models in the settings."""

from __future__ import annotations

import logging
import shutil
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
from rerank.models.shared_resources import SharedResources
from tests.models import tiny


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """Returns the folder of a reranker."""
    return tiny.bert(tmp_path / "cross", labels=1)


@pytest.mark.slow
def test_default_encoder_loads_without_output() -> None:
    """A new process prints nothing, raises no warning, and does not import transformers."""
    script = (
        "import sys; from rerank.models.loading import load_encoder; e = load_encoder('default');"
        "assert e.encode_queries(['tea']).shape == (1, e.dim); assert 'transformers' not in sys.modules"
    )

    process = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_import_loads_no_model_library() -> None:
    """Commands that do not run a model start fast."""
    script = (
        "import sys, rerank.models.loading, rerank.models.catalog;"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & sys.modules.keys()))"
    )

    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert process.stdout == "[]\n"


def test_fitted_parameters_are_loaded_from_the_folder(cross: Path) -> None:
    """Fusion, calibration and min_score come from rerank.json. `fusion=none` uses the calibration of logits alone."""
    unfitted = load_ranking_model(str(cross))
    assert unfitted.fusion == DEFAULT_FUSION.scaled(logit_deviation(unfitted.reranker))
    fusion = {"features": ["logit", "score_share"], "weights": [1, 0.5]}
    evidence = {"best_cosine": {"weight": 2.0, "typical": 0.5}}
    parameters = {"fused": {"slope": 1, "intercept": -2, "evidence": evidence}, "logit": {"slope": 3, "intercept": -4}}
    calibration = {"method": "platt", "parameters": parameters}
    tiny.write_json(cross / "rerank.json", {"fusion": fusion, "calibration": calibration, "min_score": 0.125})

    fitted, logit_only = load_ranking_model(str(cross)), load_ranking_model(str(cross), fusion="none")

    assert (fitted.fusion, fitted.min_score) == (ScoreFusion({"score_share": 0.5}), 0.125)
    assert fitted.calibration == Calibration(1.0, -2.0, {"best_cosine": QueryEvidence(2.0, 0.5)})
    assert (logit_only.fusion, logit_only.min_score) == (CROSS_ENCODER_ALONE, 0.125)
    assert logit_only.calibration == logit_only.logit_calibration == fitted.logit_calibration == Calibration(3.0, -4.0)


def test_float16_weights_return_nearly_equal_logits(tmp_path: Path) -> None:
    """Weights in float16 give the logits of the same weights in float32, except for rounding."""
    exact = ComputeOptions("openvino", "float32")
    full = load_ranking_model(str(tiny.bert(tmp_path / "full", labels=1)), compute=exact).reranker
    half = load_ranking_model(str(tiny.bert(tmp_path / "half", labels=1, half=True)), compute=exact).reranker
    texts = ["the cat", "green tea in the cold"]

    np.testing.assert_allclose(half.score("what", texts).logits, full.score("what", texts).logits, atol=0.05)


def test_similarity_model_ranks_with_a_warning(cross: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The warning is logged and stored with the model."""
    tiny.write_json(cross / "rerank.json", {"kind": "similarity"})

    with caplog.at_level(logging.WARNING, logger="rerank.models"):
        model = load_ranking_model(str(cross))

    warning = f"{cross} was trained on sentence similarity: it ranks paraphrases of a query above answers"
    assert ([record.getMessage() for record in caplog.records], model.warning) == ([warning], warning)


def test_unavailable_precision_raises_setting_error(cross: Path) -> None:
    """The error names the settings to change."""
    compute = ComputeOptions("torch", "int8")
    with pytest.raises(
        SettingError,
        match=r"precision int8 is not available for .* Set runtime or precision to auto",
    ):
        load_encoder("default", compute=compute)
    with pytest.raises(SettingError, match="torch with precision int8"):
        load_ranking_model(str(cross), compute=compute)


def test_model_of_another_role_is_refused(cross: Path) -> None:
    """A reranker is not loaded as the encoder, and an encoder is not loaded as the reranker."""
    with pytest.raises(ModelInvalid, match="cannot be the encoder"):
        load_encoder(str(cross))
    with pytest.raises(ModelInvalid, match="cannot be the reranker"):
        load_ranking_model("all-MiniLM-L6-v2")


def test_config_that_contradicts_weights_is_refused(cross: Path) -> None:
    """The error occurs when the model is loaded, not at the first query."""
    config = (cross / "config.json").read_text(encoding="utf-8")
    (cross / "config.json").write_text(config.replace('"hidden_size": 32', '"hidden_size": 48'), encoding="utf-8")

    with pytest.raises(ModelInvalid, match=r"the weights do not match config\.json"):
        load_ranking_model(str(cross))


def test_requests_select_configured_models(cross: Path, tmp_path: Path) -> None:
    """None and `default` select the default model. The other models are loaded once, at their first use."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other), str(cross)])

    assert models.names == ("cross", "other")
    assert models.get(None) is models.get("default") is models.get("cross")
    assert models.get("other") is models.get("other")
    assert models.get("other").reranker.name == "other"


def test_default_model_has_its_built_in_name(tmp_path: Path) -> None:
    """Requests can select a built-in default by its name and by `default`."""
    tiny.bert(tmp_path / "small", labels=1)
    tiny.write_json(tmp_path / "small" / "rerank.json", {"default": True})

    models = LoadedModels("default", shipped=tmp_path)

    assert models.names == ("small",)
    assert models.get("small") is models.get("default")


def test_model_that_is_not_configured_is_not_found(cross: Path) -> None:
    """Requests cannot load arbitrary models. The error lists the configured models."""
    models = LoadedModels(str(cross))

    with pytest.raises(ModelNotFound, match=r'reranker "all-MiniLM-L6-v2" is not configured. Configured: cross'):
        models.get("all-MiniLM-L6-v2")


def test_broken_additional_model_keeps_the_default(cross: Path, tmp_path: Path) -> None:
    """Requests for a broken model get ModelInvalid, because the model is configured. The default model works."""
    (tmp_path / "broken").mkdir()
    models = LoadedModels(str(cross), [str(tmp_path / "broken"), str(tmp_path / "missing")])

    with pytest.raises(ModelInvalid, match=r"has no config\.json"):
        models.get("broken")
    with pytest.raises(ModelInvalid, match="not a built-in model or a folder"):
        models.get("missing")
    assert models.get(None).reranker.name == "cross"


def test_missing_default_model_fails_at_construction(tmp_path: Path) -> None:
    """A service with an invalid default model does not start."""
    with pytest.raises(ModelNotFound):
        LoadedModels(str(tmp_path / "missing"))


def test_concurrent_requests_load_a_model_once(cross: Path, tmp_path: Path) -> None:
    """All threads get the same object."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other)])
    loaded: list[RankingModel] = []
    threads = [threading.Thread(target=lambda: loaded.append(models.get("other"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(loaded) == 8
    assert len({id(model) for model in loaded}) == 1


def test_contenders_setting_applies_to_every_loaded_model(cross: Path, tmp_path: Path) -> None:
    """Requests that name another reranker score as many candidates as requests for the default one."""
    other = tiny.bert(tmp_path / "other", labels=1)
    models = LoadedModels(str(cross), [str(other)], contenders=3)
    assert [models.get(name).contenders for name in models.names] == [3, 3]


def test_instruction_replaces_the_prompt_of_queries(tmp_path: Path) -> None:
    """A folder with the prompt `instruction` takes one. Scores with different instructions are cached separately."""
    folder = tiny.bert(tmp_path / "instructed", labels=1)
    tiny.write_json(folder / "rerank.json", {"prompts": {"query": "the ", "instruction": "{instruction} query "}})
    plain = shutil.copytree(folder, tmp_path / "plain")
    (plain / "rerank.json").unlink()
    models = LoadedModels(
        str(folder),
        [str(plain)],
        compute=ComputeOptions("openvino", "float32"),
        shared=SharedResources.within(max_waiting=2, score_cache_mb=1),
    )
    texts = ["the cat", "green tea"]

    instructed = models.get(None).instructed("cold cat")

    assert instructed is not None
    expected = models.get("plain").reranker.score("cold cat query tea", texts).logits
    np.testing.assert_array_equal(instructed.reranker.score("tea", texts).logits, expected)
    own = models.get(None).reranker.score("tea", texts)
    np.testing.assert_array_equal(own.logits, models.get("plain").reranker.score("the tea", texts).logits)
    assert own.cached == 0
    assert models.get("plain").instructed("cold cat") is None

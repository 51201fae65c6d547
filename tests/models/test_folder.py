from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rerank.core.errors import ModelInvalid, ModelNotFound
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import ModelFolder
from tests.models import tiny


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """A third-party cross-encoder without rerank.json."""
    return tiny.bert(tmp_path / "cross", labels=1)


def test_folder_without_rerank_json_has_defaults(cross: Path) -> None:
    """The config.json of a third-party cross-encoder is sufficient."""
    folder = ModelFolder.read(cross)

    assert (folder.kind, folder.architecture, folder.max_tokens) == ("reranker", "cross-encoder", 64)
    assert folder.prompts == {"query": "", "document": ""}
    assert (folder.rerank.score_fusion, folder.rerank.min_score, folder.name) == (DEFAULT_FUSION, None, str(cross))


@pytest.mark.parametrize(("labels", "kind"), [(None, "encoder"), (1, "reranker"), (2, "classifier"), (3, "classifier")])
def test_the_head_tells_the_kind(tmp_path: Path, labels: int | None, kind: str) -> None:
    """No head is an encoder, one label a reranker, more a classifier."""
    assert ModelFolder.read(tiny.bert(tmp_path, labels=labels)).kind == kind


def test_rerank_json_decides(cross: Path) -> None:
    """What the folder says of itself stands before what config.json suggests."""
    said = {
        "kind": "similarity",
        "architecture": "cross-encoder",
        "prompts": {"query": "ask: "},
        "max_tokens": 32,
        "fusion": {"features": ["score_share", "logit"], "weights": [3.0, 2.0], "fitted_on": "x"},
        "min_score": 0.25,
        "languages": ["it", "en"],
        "trained_on": ["a set"],
        "licence": "MIT",
    }
    tiny.write_json(cross / "rerank.json", said)

    folder = ModelFolder.read(cross, name="mine")

    assert (folder.kind, folder.max_tokens, folder.name) == ("similarity", 32, "mine")
    assert folder.prompts == {"query": "ask: ", "document": ""}
    assert (folder.rerank.score_fusion, folder.rerank.min_score) == (ScoreFusion({"score_share": 1.5}), 0.25)
    assert folder.rerank.languages == ("it", "en")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"kind": "oracle"}, "kind"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"min_score": 2}, "min_score"),
        ({"prompts": {"passage": "p: "}}, 'prompts: knows "query" and "document", not passage'),
        ({"fusion": {"features": ["logit"], "weights": [1, 2]}}, "fusion: needs one weight for each feature"),
        ({"fusion": {"features": ["logit", "cosine"], "weights": [1, -1]}}, "fusion.weights.1"),
        ({"calibration": {"method": "magic", "parameters": {}}}, "calibration.method"),
        (
            {"calibration": {"method": "platt", "parameters": {"fused": {"slope": 0, "intercept": 0}}}},
            "calibration.parameters.fused.slope",
        ),
        ({"fusion": {"features": ["logit"], "weights": [0]}}, 'fusion: the weight of "logit" must be above 0'),
        ({"fusion": {"features": ["logit", "moon"], "weights": [1, 1]}}, "fusion.features.1"),
        ({"architecture": "oracle"}, "architecture: 'oracle' is not known"),
        ({"kind": "encoder"}, "kind encoder cannot be a cross-encoder"),
        ([1], "must hold a JSON object, not list"),
    ],
)
def test_a_wrong_rerank_json_names_file_and_key(cross: Path, said: object, key: str) -> None:
    """The error names the file and the key to fix."""
    file = tiny.write_json(cross / "rerank.json", said)

    with pytest.raises(ModelInvalid) as raised:
        ModelFolder.read(cross)

    assert raised.value.message.startswith(f"{file}: ")
    assert key in raised.value.message


def test_what_is_no_model_folder_says_so(tmp_path: Path) -> None:
    """A missing folder is not found; a folder without config.json, or with a broken one, is invalid."""
    with pytest.raises(ModelNotFound, match="does not exist"):
        ModelFolder.read(tmp_path / "nothing")
    with pytest.raises(ModelInvalid, match=r"is not a model folder: it has no config\.json"):
        ModelFolder.read(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelInvalid, match=r"config\.json is not valid JSON"):
        ModelFolder.read(tmp_path)


def test_the_sentence_transformers_layout_is_read() -> None:
    """The built-in encoder pools by the mean and reads 256 tokens, as its own small files say."""
    folder = resolve(DEFAULT, role="encoder")

    assert (folder.kind, folder.layout.pooling, folder.max_tokens) == ("encoder", "mean", 256)


def test_weights_pooling_and_prompts_may_lie_where_modules_json_says(tmp_path: Path) -> None:
    """Older sentence-transformers folders keep the transformer in a folder of its own."""
    tiny.bert(tmp_path / "0_Transformer")
    tiny.write_json(tmp_path / "0_Transformer" / "sentence_bert_config.json", {"max_seq_length": 24})
    tiny.write_json(tmp_path / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})
    tiny.write_json(
        tmp_path / "config_sentence_transformers.json",
        {"prompts": {"query": "q: ", "passage": "p: ", "default": "d: "}, "default_prompt_name": "default"},
    )
    modules = [("0_Transformer", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules]
    tiny.write_json(tmp_path / "modules.json", listed)

    folder = ModelFolder.read(tmp_path)

    assert (folder.weights, folder.layout.pooling, folder.max_tokens) == (tmp_path / "0_Transformer", "cls", 24)
    assert folder.prompts == {"query": "q: ", "document": "p: "}


@pytest.mark.parametrize(
    ("pooling", "said"),
    [
        ({"pooling_mode": "max"}, "pooling by max"),
        ({"pooling_mode": "mean", "include_prompt": False}, "include_prompt"),
    ],
)
def test_pooling_that_is_not_supported_is_refused(tmp_path: Path, pooling: object, said: str) -> None:
    """Vectors other than the model's own must not be made silently."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling" / "config.json", pooling)
    tiny.write_json(tmp_path / "modules.json", [{"path": "1_Pooling", "type": "x.Pooling"}])

    with pytest.raises(ModelInvalid, match=said):
        ModelFolder.read(tmp_path)


def test_a_module_outside_the_folder_or_unknown_is_refused(tmp_path: Path) -> None:
    """A downloaded folder reads nothing outside itself, and nothing that would be skipped."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "modules.json", [{"path": "..", "type": "x.Transformer"}])
    with pytest.raises(ModelInvalid, match="must be inside the model folder"):
        ModelFolder.read(tmp_path)
    tiny.write_json(tmp_path / "modules.json", [{"path": "", "type": "x.Dense"}])
    with pytest.raises(ModelInvalid, match="module type Dense is not supported"):
        ModelFolder.read(tmp_path)


def test_a_copy_has_the_same_fingerprint(cross: Path, tmp_path: Path) -> None:
    """The fingerprint is of the content: neither the place nor the name of the folder changes it."""
    shutil.copytree(cross, tmp_path / "copy")

    assert ModelFolder.read(tmp_path / "copy").fingerprint == ModelFolder.read(cross, name="x").fingerprint


def test_what_changes_an_answer_changes_the_fingerprint(cross: Path) -> None:
    """Weights, tokens read and prompts count; how answers are combined, and what people read, does not."""
    prints = [ModelFolder.read(cross).fingerprint]
    (cross / "README.md").write_text("a card", encoding="utf-8")
    for said in ({"min_score": 0.5}, {"prompts": {"query": "q: "}}, {"max_tokens": 16}):
        tiny.write_json(cross / "rerank.json", said)
        prints.append(ModelFolder.read(cross).fingerprint)
    weights = cross / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    before = weights.stat()
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    prints.append(ModelFolder.read(cross).fingerprint)

    assert prints[0] == prints[1]
    assert len(set(prints)) == 4

"""Rules for reading model folders."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from rerank.core.errors import ModelInvalid, ModelNotFound
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import TOKENIZER_FILES, ModelFolder
from rerank.models.loading import load_ranking_model
from rerank.models.tokenizer import TextTokenizer
from rerank.models.training.pretrained import open_cross_encoder
from tests.models import tiny


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """Returns a third-party cross-encoder without rerank.json."""
    return tiny.bert(tmp_path / "cross", labels=1)


def test_folder_without_rerank_json_has_defaults(cross: Path) -> None:
    """The config.json of a third-party cross-encoder is sufficient."""
    folder = ModelFolder.read(cross)

    assert (folder.kind, folder.architecture, folder.max_tokens) == ("reranker", "cross-encoder", 64)
    assert folder.prompts == {"query": "", "document": ""}
    assert (folder.rerank.score_fusion, folder.rerank.min_score, folder.name) == (DEFAULT_FUSION, None, str(cross))


@pytest.mark.parametrize(("labels", "kind"), [(None, "encoder"), (1, "reranker"), (2, "classifier"), (3, "classifier")])
def test_kind_follows_the_number_of_labels(tmp_path: Path, labels: int | None, kind: str) -> None:
    """Without a head the kind is encoder, with one label reranker, with more labels classifier."""
    assert ModelFolder.read(tiny.bert(tmp_path, labels=labels)).kind == kind


def test_rerank_json_overrides_config_json(cross: Path) -> None:
    """The keys of rerank.json take precedence over the values derived from config.json."""
    content = {
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
    tiny.write_json(cross / "rerank.json", content)

    folder = ModelFolder.read(cross, name="mine")

    assert (folder.kind, folder.max_tokens, folder.name) == ("similarity", 32, "mine")
    assert folder.prompts == {"query": "ask: ", "document": ""}
    assert (folder.rerank.score_fusion, folder.rerank.min_score) == (ScoreFusion({"score_share": 1.5}), 0.25)
    assert folder.rerank.languages == ("it", "en")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"kind": "oracle"}, "kind"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"min_score": 2}, "min_score"),
        (
            {"prompts": {"passage": "p: "}},
            'must have only the keys "query", "document" and "instruction", got passage',
        ),
        ({"prompts": {"instruction": "do: "}}, 'prompts: the prompt "instruction" must contain {instruction}'),
        ({"fusion": {"features": ["logit"], "weights": [1, 2]}}, "fusion: must have one weight per feature"),
        ({"fusion": {"features": ["logit", "cosine"], "weights": [1, -1]}}, "fusion.weights.1"),
        ({"calibration": {"method": "magic", "parameters": {}}}, "calibration.method"),
        (
            {"calibration": {"method": "platt", "parameters": {"fused": {"slope": 0, "intercept": 0}}}},
            "calibration.parameters.fused.slope",
        ),
        ({"fusion": {"features": ["logit"], "weights": [0]}}, 'fusion: the weight of "logit" must be above 0'),
        ({"fusion": {"features": ["logit", "moon"], "weights": [1, 1]}}, "fusion.features.1"),
        ({"architecture": "oracle"}, "architecture must be bi-encoder, cross-encoder or joint, got 'oracle'"),
        ({"kind": "encoder"}, "kind encoder cannot have the architecture cross-encoder"),
        ([1], "must contain a JSON object, got list"),
    ],
)
def test_invalid_rerank_json_is_refused(cross: Path, content: object, problem: str) -> None:
    """The error names the file and the key."""
    file = tiny.write_json(cross / "rerank.json", content)

    with pytest.raises(ModelInvalid) as raised:
        ModelFolder.read(cross)

    assert raised.value.message.startswith(f"{file}: ")
    assert problem in raised.value.message


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """A missing folder is not found. A folder without a valid config.json is invalid."""
    with pytest.raises(ModelNotFound, match="does not exist"):
        ModelFolder.read(tmp_path / "nothing")
    with pytest.raises(ModelInvalid, match=r"is not a model folder: it has no config\.json"):
        ModelFolder.read(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelInvalid, match=r"config\.json is not valid JSON"):
        ModelFolder.read(tmp_path)


def test_built_in_encoder_has_mean_pooling_and_256_tokens() -> None:
    """Pooling and token limit come from the files of the sentence-transformers layout."""
    folder = resolve(DEFAULT, role="encoder")

    assert (folder.kind, folder.layout.pooling, folder.max_tokens) == ("encoder", "mean", 256)


def test_modules_json_locates_weights_and_pooling(tmp_path: Path) -> None:
    """Older sentence-transformers folders have the transformer in a subfolder."""
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
    ("pooling", "problem"),
    [
        ({"pooling_mode": "max"}, "pooling mode max is not supported"),
        ({"pooling_mode": "mean", "include_prompt": False}, "include_prompt must be true"),
    ],
)
def test_unsupported_pooling_is_refused(tmp_path: Path, pooling: object, problem: str) -> None:
    """Another pooling would return other vectors than the model's own without an error."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling" / "config.json", pooling)
    tiny.write_json(tmp_path / "modules.json", [{"path": "1_Pooling", "type": "x.Pooling"}])

    with pytest.raises(ModelInvalid, match=problem):
        ModelFolder.read(tmp_path)


def test_unsafe_or_unknown_module_is_refused(tmp_path: Path) -> None:
    """A downloaded folder cannot refer to files outside, and no module is skipped."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "modules.json", [{"path": "..", "type": "x.Transformer"}])
    with pytest.raises(ModelInvalid, match="must be inside the model folder"):
        ModelFolder.read(tmp_path)
    tiny.write_json(tmp_path / "modules.json", [{"path": "", "type": "x.Dense"}])
    with pytest.raises(ModelInvalid, match="module type Dense is not supported"):
        ModelFolder.read(tmp_path)


def test_copied_folder_keeps_its_fingerprint(cross: Path, tmp_path: Path) -> None:
    """The fingerprint depends on the content, not on path or name."""
    shutil.copytree(cross, tmp_path / "copy")

    assert ModelFolder.read(tmp_path / "copy").fingerprint == ModelFolder.read(cross, name="x").fingerprint


def test_fingerprint_changes_with_outputs_only(cross: Path) -> None:
    """Weights, token limit and prompts change the fingerprint. min_score and the model card do not."""
    fingerprints = [ModelFolder.read(cross).fingerprint]
    (cross / "README.md").write_text("a card", encoding="utf-8")
    for content in ({"min_score": 0.5}, {"prompts": {"query": "q: "}}, {"max_tokens": 16}):
        tiny.write_json(cross / "rerank.json", content)
        fingerprints.append(ModelFolder.read(cross).fingerprint)
    weights = cross / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    before = weights.stat()
    weights.write_bytes(changed)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    fingerprints.append(ModelFolder.read(cross).fingerprint)

    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 4


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_folder_with_code_of_its_own_is_refused_before_anything_is_loaded(tmp_path: Path, name: str) -> None:
    """rerank never runs a model's own code, and asks no question about it."""
    folder = tiny.bert(tmp_path / "own-code", labels=1)
    marker = tmp_path / "executed"
    (folder / "own.py").write_text(f"open({str(marker)!r}, 'w')", encoding="utf-8")
    content = {**json.loads((folder / name).read_text("utf-8")), "auto_map": {"AutoModel": "own.Model"}}
    tiny.write_json(folder / name, content)

    with pytest.raises(ModelInvalid, match=rf"{name}: the model needs Python code of its own \(auto_map\)"):
        resolve(str(folder), role="reranker")
    assert not marker.exists()


def test_no_module_trusts_the_code_of_a_model() -> None:
    """Each call of transformers that could run code of a folder refuses it, and none of them reads pickles."""
    calls = []
    for file in (Path(__file__).resolve().parents[2] / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("from_pretrained"):
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                calls.append((ast.unparse(node.func), keywords))
    auto = [(name, keywords) for name, keywords in calls if name.startswith(("Auto", "auto"))]
    assert len(auto) >= 5
    assert [name for name, keywords in auto if keywords.get("trust_remote_code") != "False"] == []
    models = [(name, keywords) for name, keywords in calls if "Tokenizer" not in name and "Config" not in name]
    assert [name for name, keywords in models if keywords.get("use_safetensors") != "True"] == []


def test_pickled_weights_are_never_loaded(tmp_path: Path) -> None:
    """A hostile pytorch_model.bin beside the configuration is not opened, and the error names what is missing."""
    folder = tiny.bert(tmp_path / "pickled", labels=1)
    (folder / "model.safetensors").unlink()
    marker = tmp_path / "executed"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Hostile(marker)))

    for load in (load_ranking_model, lambda name: open_cross_encoder(ModelFolder.read(Path(name)))):
        with pytest.raises((ModelInvalid, ModelNotFound)):
            load(str(folder))
    assert not marker.exists()


class _Hostile:
    """Object that creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._marker),)


def test_folder_without_tokenizer_files_is_refused(cross: Path) -> None:
    """transformers would build a tokenizer with an empty vocabulary, and every text would have the same score."""
    for name in TOKENIZER_FILES:
        (cross / name).unlink(missing_ok=True)
    with pytest.raises(ModelInvalid, match=r"the model folder has no tokenizer files: tokenizer.json is missing"):
        TextTokenizer.from_folder(ModelFolder.read(cross))

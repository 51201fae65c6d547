from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rerank.core.errors import ModelInvalid, ModelNotFound
from rerank.core.settings import Settings
from rerank.models.catalog import ENCODER, built_in_models, catalog, check_role, default_name, resolve, served
from rerank.models.folder import ModelFolder
from tests.models import tiny


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Two built-in rerankers, the second one the default."""
    root = tmp_path / "builtin"
    tiny.bert(root / "a-small", labels=1)
    tiny.bert(root / "b-large", labels=1)
    tiny.write_json(root / "b-large" / "rerank.json", {"default": True, "languages": ["en", "it"]})
    return root


def test_built_in_models_are_the_encoder_and_the_folders_that_ship(shipped: Path) -> None:
    """Dropping a folder in is all it takes."""
    found = built_in_models(shipped)

    assert list(found) == [ENCODER, "a-small", "b-large"]
    assert (found[ENCODER] / "model.safetensors").exists()


def test_default_names_the_built_in_one_for_its_role(shipped: Path) -> None:
    """`default` is the encoder that ships, and the reranker whose rerank.json says so."""
    assert resolve("default", role="encoder").name == ENCODER
    assert resolve("default", role="reranker", shipped=shipped).name == "b-large"
    assert default_name("reranker", shipped=shipped) == "b-large"


def test_without_a_built_in_reranker_the_default_says_what_to_do(tmp_path: Path) -> None:
    """The error leads to a model."""
    with pytest.raises(ModelNotFound, match=r"Set --reranker .* or train one with `rerank-cli train pairs`"):
        resolve("default", role="reranker", shipped=tmp_path)


def test_a_built_in_name_stands_before_a_folder_and_a_folder_is_found(shipped: Path, tmp_path: Path) -> None:
    """A folder is named by its path, and called as it was named."""
    mine = tiny.bert(tmp_path / "mine", labels=1)

    assert resolve("a-small", role="reranker", shipped=shipped).path == shipped / "a-small"
    assert resolve(str(mine), role="reranker", shipped=shipped).name == str(mine)


@pytest.mark.parametrize("name", ["no-such-model", "./no/such/folder", "/no/such/folder", "~/no-such-folder-here"])
def test_what_is_no_model_is_named_with_what_there_is(name: str) -> None:
    """No hub is asked for what cannot be at one."""
    with pytest.raises(ModelNotFound) as raised:
        resolve(name, role="encoder")

    assert raised.value.message.startswith(
        f'model "{name}" not found: it is not a built-in model or a folder; the built-in'
    )
    assert ENCODER in raised.value.message


def test_model_left_out_of_the_package_leads_to_its_hub_id(shipped: Path) -> None:
    """The wheel has only the default models; the error says how to get the other one."""
    with pytest.raises(ModelNotFound, match=r"hub id, sentence-transformers/all-MiniLM-L6-v2, or its folder"):
        resolve("all-MiniLM-L6-v2", role="encoder", shipped=shipped)


def test_a_missing_folder_in_one_that_exists_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`models/mine` beside a folder `models` is a path with a slip, not a model at the hub."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelNotFound, match="not a built-in model or a folder; "):
        resolve("models/mine", role="reranker")


def test_a_hub_that_gives_nothing_is_told_with_what_there_is() -> None:
    """The error names the hub's problem and the built-in models."""
    with pytest.raises(ModelNotFound) as raised:
        resolve("nobody-here/no-such-model", role="encoder", reach_hub=False)

    assert 'model "nobody-here/no-such-model" not found: ' in raised.value.message
    assert "the hub did not provide it (" in raised.value.message
    assert raised.value.message.endswith(f"the built-in models are: {', '.join(built_in_models())}")


def test_a_role_needs_its_kind(tmp_path: Path) -> None:
    """An encoder cannot rank, a reranker cannot encode; what reads pairs can rank."""
    encoder = ModelFolder.read(tiny.bert(tmp_path / "encoder"))
    reranker = ModelFolder.read(tiny.bert(tmp_path / "reranker", labels=1))
    with pytest.raises(ModelInvalid, match="a model of kind encoder cannot be the reranker"):
        check_role(encoder, "reranker")
    with pytest.raises(ModelInvalid, match="a model of kind reranker cannot be the encoder"):
        check_role(reranker, "encoder")

    check_role(encoder, "encoder")
    check_role(reranker, "reranker")


def test_the_catalog_lists_built_in_and_configured_models(shipped: Path, tmp_path: Path) -> None:
    """Each once, the ones in use marked."""
    mine = tiny.bert(tmp_path / "mine", labels=1)
    settings = Settings(reranker=str(mine), rerankers=("a-small", "default"))

    entries = catalog(settings, shipped=shipped)

    assert [(entry.name, entry.kind, entry.default) for entry in entries] == [
        (ENCODER, "encoder", True),
        ("a-small", "reranker", False),
        ("b-large", "reranker", False),
        (str(mine), "reranker", True),
    ]
    assert entries[2].to_json() == {
        "name": "b-large",
        "kind": "reranker",
        "architecture": "cross-encoder",
        "path": str(shipped / "b-large"),
        "fingerprint": ModelFolder.read(shipped / "b-large").fingerprint,
        "languages": ["en", "it"],
        "default": False,
    }


def test_served_are_the_configured_models_alone(shipped: Path) -> None:
    """What a request cannot name is not offered."""
    assert [entry.name for entry in served(Settings(), shipped=shipped)] == [ENCODER, "b-large"]


def test_a_configured_model_that_cannot_be_read_is_left_out_and_logged(
    shipped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad name does not hide the others."""
    with caplog.at_level(logging.WARNING, logger="models"):
        entries = catalog(Settings(rerankers=("no-such-model",)), shipped=shipped)

    assert [entry.name for entry in entries] == [ENCODER, "a-small", "b-large"]
    assert 'model "no-such-model" not found' in caplog.text

"""Rules for the catalog of models."""

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
    """Returns a folder with two built-in rerankers; the second is the default."""
    root = tmp_path / "builtin"
    tiny.bert(root / "a-small", labels=1)
    tiny.bert(root / "b-large", labels=1)
    tiny.write_json(root / "b-large" / "rerank.json", {"default": True, "languages": ["en", "it"]})
    return root


def test_built_in_models_are_the_encoder_and_shipped_folders(shipped: Path) -> None:
    """A new folder becomes a built-in model without registration."""
    models = built_in_models(shipped)

    assert list(models) == [ENCODER, "a-small", "b-large"]
    assert (models[ENCODER] / "packed.safetensors").exists()


def test_default_resolves_by_role(shipped: Path) -> None:
    """`default` is the built-in encoder, or the reranker whose rerank.json has `default`."""
    assert resolve("default", role="encoder").name == ENCODER
    assert resolve("default", role="reranker", shipped=shipped).name == "b-large"
    assert default_name("reranker", shipped=shipped) == "b-large"


def test_missing_default_reranker_is_not_found(tmp_path: Path) -> None:
    """The error suggests --reranker and training."""
    with pytest.raises(ModelNotFound, match=r"Set --reranker .* or train one with `rerank-cli train pairs`"):
        resolve("default", role="reranker", shipped=tmp_path)


def test_built_in_names_and_folders_resolve(shipped: Path, tmp_path: Path) -> None:
    """A built-in name resolves to the built-in folder, and a path to the user's folder."""
    mine = tiny.bert(tmp_path / "mine", labels=1)

    assert resolve("a-small", role="reranker", shipped=shipped).path == shipped / "a-small"
    assert resolve(str(mine), role="reranker", shipped=shipped).name == str(mine)


@pytest.mark.parametrize("name", ["no-such-model", "./no/such/folder", "/no/such/folder", "~/no-such-folder-here"])
def test_unknown_name_is_not_found(name: str) -> None:
    """The error lists the built-in models. The hub is not contacted for a name that is not a hub id."""
    with pytest.raises(ModelNotFound) as raised:
        resolve(name, role="encoder")

    assert raised.value.message.startswith(
        f'model "{name}" not found: it is not a built-in model or a folder; the built-in'
    )
    assert ENCODER in raised.value.message


def test_model_outside_the_package_names_its_hub_id(shipped: Path) -> None:
    """The wheel contains only the default models; the error tells how to get the other model."""
    with pytest.raises(ModelNotFound, match=r"hub id, sentence-transformers/all-MiniLM-L6-v2, or its folder"):
        resolve("all-MiniLM-L6-v2", role="encoder", shipped=shipped)


def test_older_built_in_encoder_outside_the_package_names_its_folder(shipped: Path) -> None:
    """It has no hub id, so the error names the folder of the source distribution."""
    with pytest.raises(ModelNotFound, match=r"Pass its folder in the source distribution, models/builtin/minilm"):
        resolve("minilm-l6-en-it-v2", role="encoder", shipped=shipped)


def test_missing_folder_in_an_existing_one_is_not_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`models/mine` is a misspelt path if the folder `models` exists."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelNotFound, match="not a built-in model or a folder; "):
        resolve("models/mine", role="reranker")


def test_model_missing_on_the_hub_is_not_found() -> None:
    """The error has the cause and the built-in models."""
    with pytest.raises(ModelNotFound) as raised:
        resolve("no-such-owner/no-such-model", role="encoder", reach_hub=False)

    assert 'model "no-such-owner/no-such-model" not found: ' in raised.value.message
    assert "the hub did not provide it (" in raised.value.message
    assert raised.value.message.endswith(f"the built-in models are: {', '.join(built_in_models())}")


def test_model_of_another_role_is_refused(tmp_path: Path) -> None:
    """An encoder cannot be the reranker, and a reranker cannot be the encoder."""
    encoder = ModelFolder.read(tiny.bert(tmp_path / "encoder"))
    reranker = ModelFolder.read(tiny.bert(tmp_path / "reranker", labels=1))
    with pytest.raises(ModelInvalid, match="a model of kind encoder cannot be the reranker"):
        check_role(encoder, "reranker")
    with pytest.raises(ModelInvalid, match="a model of kind reranker cannot be the encoder"):
        check_role(reranker, "encoder")

    check_role(encoder, "encoder")
    check_role(reranker, "reranker")


def test_catalog_lists_built_in_and_configured_models(shipped: Path, tmp_path: Path) -> None:
    """Each model is listed once; the models in use are marked as default."""
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


def test_served_lists_only_configured_models(shipped: Path) -> None:
    """Models that requests cannot select are not listed."""
    assert [entry.name for entry in served(Settings(), shipped=shipped)] == [ENCODER, "b-large"]


def test_unreadable_configured_model_is_logged_and_skipped(shipped: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other models are still listed."""
    with caplog.at_level(logging.WARNING, logger="rerank.models"):
        entries = catalog(Settings(rerankers=("no-such-model",)), shipped=shipped)

    assert [entry.name for entry in entries] == [ENCODER, "a-small", "b-large"]
    assert 'model "no-such-model" not found' in caplog.text

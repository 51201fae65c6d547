"""Rules for the names by which requests select models."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import ModelNotFound, SettingError
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings
from rerank.models.catalog import ENCODER
from rerank.models.public_catalog import public_catalog
from rerank.models.public_names import PublicNames, encoder_names, reranker_names
from tests.models import tiny


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Returns a folder with one built-in reranker, which is the default."""
    small = tiny.bert(tmp_path / "shipped" / "small", labels=1)
    tiny.write_json(small / "rerank.json", {"default": True})
    return tmp_path / "shipped"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Returns the folder of a user's reranker."""
    return tiny.bert(tmp_path / "models" / "mine", labels=1)


def test_mapped_name_selects_its_model(shipped: Path, mine: Path) -> None:
    """Names map to `default`, to a folder, or to a hub id; all other names are refused."""
    pairs = (("rerank-v3.5", "default"), ("house", str(mine)), ("hub", "org/model"))
    names = reranker_names(Settings(model_names=pairs), shipped=shipped)

    assert names.names == ("small", "rerank-v3.5", "org/model", "house", "hub")
    targets = [names.target(name, what="reranker") for name in (None, "default", "rerank-v3.5", "house", "hub")]
    assert targets == ["small", "small", "small", str(mine), "org/model"]
    assert [names.name_of(target) for target in ("small", str(mine), "org/model")] == ["small", "house", "org/model"]
    message = 'reranker "x" is not configured. Configured: small, rerank-v3.5, org/model, house, hub'
    with pytest.raises(ModelNotFound, match=message):
        names.target("x", what="reranker")


def test_asterisk_accepts_every_name(shipped: Path, mine: Path) -> None:
    """Other names select the model of `*`; configured names keep their own."""
    settings = Settings(rerankers=(str(mine),), model_names=(("*", "default"),))
    names = reranker_names(settings, shipped=shipped)

    assert names.names == ("small", "mine")
    assert [names.target(name, what="reranker") for name in ("anything", "mine")] == ["small", str(mine)]


def test_path_is_never_a_public_name(shipped: Path, mine: Path, tmp_path: Path) -> None:
    """A folder has the last part of its path as its name, with a number if two folders have the same one."""
    other = tiny.bert(tmp_path / "other" / "mine", labels=1)
    missing = str(tmp_path / "missing")
    names = PublicNames.of("reranker", str(mine), (str(other), missing, "default"), shipped=shipped)

    assert names.names == ("mine", "mine-2", "missing", "small")
    with pytest.raises(ModelNotFound):
        names.target(str(mine), what="reranker")


def test_encoder_has_the_names_that_select_it(shipped: Path) -> None:
    """A request for a reranker cannot use a name of the encoder, or the reverse. `default` names both."""
    settings = Settings(model_names=(("text-embedding-3-small", ENCODER), ("any", "default"), ("r", "small")))

    assert encoder_names(settings, shipped=shipped).names == (ENCODER, "text-embedding-3-small", "any")
    assert reranker_names(settings, shipped=shipped).names == ("small", "any", "r")


def test_public_catalog_lists_every_name_without_paths(shipped: Path, mine: Path) -> None:
    """Each name has an entry with its kind; the default models are marked."""
    settings = Settings(rerankers=(str(mine),), model_names=(("rerank-v3.5", "default"),))
    entries = public_catalog(settings, shipped=shipped)

    assert [(entry["name"], entry["kind"], entry["default"]) for entry in entries] == [
        (ENCODER, "encoder", True),
        ("small", "reranker", True),
        ("rerank-v3.5", "reranker", True),
        ("mine", "reranker", False),
    ]
    assert str(mine.parent) not in str(entries)


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ("", ()),
        ("rerank-v3.5=default, mine=/models/mine,", (("rerank-v3.5", "default"), ("mine", "/models/mine"))),
        ({"a": "default"}, (("a", "default"),)),
    ],
)
def test_setting_is_a_list_of_pairs_or_a_table(value: object, pairs: object) -> None:
    """The list is for flags and the environment, the table for rerank.toml."""
    assert Settings.model_validate({"model_names": value}).model_names == pairs


@pytest.mark.parametrize("value", ["a", "=default", "a=", "/models/mine=default", "~/m=default", "a=b,a=c"])
def test_invalid_pair_is_refused(value: str, tmp_path: Path) -> None:
    """The message names the setting, and the name that is wrong."""
    with pytest.raises(SettingError, match="setting model_names"):
        load_settings({}, environ={"RERANK_MODEL_NAMES": value}, directory=tmp_path)

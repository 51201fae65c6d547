"""Rules for merging settings: precedence, origins, and errors that name the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import SettingError
from rerank.core.redaction import masked_location
from rerank.core.settings import Settings
from rerank.core.settings_loading import FILE, load_settings


def test_flag_overrides_environment_and_file(tmp_path: Path) -> None:
    """Each value comes from the first source that has it, and its origin is recorded."""
    (tmp_path / FILE).write_text("k = 3\ndepth = 30\nport = 1", encoding="utf-8")
    loaded = load_settings({"k": 5, "mode": None}, environ={"RERANK_K": "4", "RERANK_DEPTH": "40"}, directory=tmp_path)

    names = ("k", "depth", "port", "mode")
    assert [getattr(loaded.settings, name) for name in names] == [5, 40, 1, "hybrid"]
    assert [loaded.origins[name] for name in names] == ["flag", "environment", str(tmp_path / FILE), "default"]


@pytest.mark.parametrize(
    ("environ", "file", "message"),
    [
        ({"RERANK_DEPHT": "5"}, "", "RERANK_DEPHT is not a setting. Did you mean RERANK_DEPTH?"),
        ({}, "dephth = 5", '"dephth" is not a setting. Did you mean depth?'),
        ({"RERANK_K": "0"}, "", "setting k (from environment) must be at least 1, got '0'."),
        ({}, "k = 0", f"{FILE}) must be at least 1, got 0."),
        ({"RERANK_K": "200"}, "", "k must be at most depth (100), got 200. Raise depth or lower k."),
        ({}, "k = = 1", f"{FILE} is not valid TOML"),
    ],
)
def test_invalid_settings_are_refused_with_their_source(
    environ: dict[str, str], file: str, message: str, tmp_path: Path
) -> None:
    """The message names the source, the setting and the rule or the nearest name."""
    (tmp_path / FILE).write_text(file, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        load_settings({}, environ=environ, directory=tmp_path)
    assert message in caught.value.message


def test_api_keys_never_appear_in_a_message(tmp_path: Path) -> None:
    """An invalid secret is reported without its value."""
    with pytest.raises(SettingError) as caught:
        load_settings({"api_keys": 12345}, environ={}, directory=tmp_path)
    assert "12345" not in caught.value.message


@pytest.mark.parametrize("store", ["http://user:secret@host:9200", "HTTPS://user:se:cret@[bad"])
def test_store_password_is_masked(store: str) -> None:
    """Malformed addresses are masked, too."""
    assert "cret" not in masked_location(store)
    assert "cret" not in repr(Settings(store=store, api_keys=("secret",)))

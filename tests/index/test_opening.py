"""Rules for opening the store that a location names."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import SettingError
from rerank.index.embedded import EmbeddedStore
from rerank.index.opening import open_store


@pytest.mark.parametrize("location", ["ftp://host/index", "htp://user:secret@localhost:9200", "s3://bucket"])
def test_other_schemes_are_refused(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped URL creates no folder, and the message has no password."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="must be http or https") as caught:
        open_store(location)
    assert "secret" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_folder_is_opened_as_an_embedded_store(tmp_path: Path) -> None:
    """A missing folder is created."""
    store = open_store(str(tmp_path / "new"))
    assert isinstance(store, EmbeddedStore)
    store.close()

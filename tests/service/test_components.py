from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import StoreUnavailable
from rerank.core.settings import Settings
from rerank.service.components import build


def test_closed_components_release_their_store(tmp_path: Path) -> None:
    """A closed store is reported as closed, and is never opened again by a background load."""
    location = str(tmp_path / "store")
    components = build(Settings(store=location))
    components.store.load()
    assert components.store.get().indexes() == []

    components.close()
    components.close()
    components.store.load()

    with pytest.raises(StoreUnavailable, match=rf"^store {location} is closed$"):
        components.store.get()

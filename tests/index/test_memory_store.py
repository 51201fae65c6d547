"""Tests of the in-memory store that other tests use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rerank.core.protocols import Store
from tests.contracts.store import StoreContract
from tests.memory_store import InMemoryStore


class TestInMemoryStore(StoreContract):
    """Contract tests of the in-memory store."""

    @pytest.fixture
    def connect(self) -> Callable[[], Store]:
        store = InMemoryStore()
        return lambda: store

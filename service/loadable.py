"""A part of the service that takes a while to load, and may fail to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from rerank.core.errors import RerankError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Loadable(Generic[T]):
    """A value that is loaded beside the requests: none waits for it, each learns whether it is there.

    *name* is how messages call it; *unavailable* is the error that get() raises until it has been loaded.
    """

    def __init__(self, name: str, load: Callable[[], T], *, unavailable: type[RerankError]) -> None:
        self.name = name
        self._load = load
        self._unavailable = unavailable
        self._lock = threading.Lock()
        # Written under the lock, read without it: a list of none or one, so that any value can be held.
        self._loaded: list[T] = []
        self._problem = "is still loading"

    @classmethod
    def of(cls, name: str, value: T, *, unavailable: type[RerankError] = RerankError) -> Self:
        """A part that is there already."""
        part = cls(name, lambda: value, unavailable=unavailable)
        part.load()
        return part

    def get(self) -> T:
        """The value. Raises the error given as *unavailable*, with what is the matter."""
        if not self._loaded:
            raise self._unavailable(f"{self.name} {self._problem}")
        return self._loaded[0]

    def load(self) -> None:
        """Load it unless it is there. A failure is logged and told by get(); it never leaves here."""
        with self._lock:
            if self._loaded:
                return
            try:
                self._loaded.append(self._load())
            except RerankError as exc:
                self._problem = f"could not be loaded: {exc.message}"
                _log.error("%s %s", self.name, self._problem)
            except Exception:  # noqa: BLE001
                # Whatever a library raises, the process stays: it can still say what is missing, and try again.
                self._problem = "could not be loaded; the service's log says why"
                _log.exception("%s could not be loaded", self.name)

    @property
    def missing(self) -> str | None:
        """What is the matter, as one clause; None when the value is there."""
        return None if self._loaded else f"{self.name} {self._problem}"

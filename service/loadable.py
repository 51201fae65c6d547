"""A component that takes time to load, and that may fail to load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from rerank.core.errors import RerankError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Loadable(Generic[T]):
    """A component that a background thread loads while requests are served. No request waits for the load.

    *name* names the component in messages. *unavailable* is the error that get() raises while the component is not
    loaded. *release* closes the loaded component on shutdown.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], T],
        *,
        unavailable: type[RerankError],
        release: Callable[[T], None] | None = None,
    ) -> None:
        self.name = name
        self._load = load
        self._unavailable = unavailable
        self._release = release
        self._lock = threading.Lock()
        # A list of at most one value: None may be a valid value, and reads need no lock.
        self._loaded: list[T] = []
        self._problem = "is still loading"
        self._closed = threading.Event()

    @classmethod
    def of(cls, name: str, value: T, *, unavailable: type[RerankError] = RerankError) -> Self:
        """Returns a component that is already loaded."""
        component = cls(name, lambda: value, unavailable=unavailable)
        component.load()
        return component

    def get(self) -> T:
        """Returns the component. Raises *unavailable*, with the reason, while it is not loaded."""
        loaded = self._loaded
        if not loaded:
            raise self._unavailable(f"{self.name} {self._problem}")
        return loaded[0]

    def load(self) -> None:
        """Loads the component unless it is loaded or closed. Logs a failure instead of raising it."""
        with self._lock:
            if self._loaded or self._closed.is_set():
                return
            try:
                self._loaded = [self._load()]
            except RerankError as exc:
                self._problem = f"could not be loaded: {exc.message}"
                _log.error("%s %s", self.name, self._problem)
            except Exception:  # noqa: BLE001
                # The process must survive any error of a library: it reports what is missing, and retries.
                self._problem = "could not be loaded; see the service log"
                _log.exception("%s could not be loaded", self.name)
        if self._closed.is_set():
            self.close()

    def replace(self, value: T) -> None:
        """Puts *value* in place of the component. Requests that use the previous one finish with it.

        Does nothing after close().
        """
        with self._lock:
            if not self._closed.is_set():
                self._loaded = [value]

    def close(self) -> None:
        """Releases the component if it is loaded, once. Does not wait for a load in progress."""
        self._closed.set()
        if not self._lock.acquire(blocking=False):
            return  # A load is in progress; load() calls close() when it ends.
        try:
            released, self._loaded = self._loaded, []
            self._problem = "is closed"
        finally:
            self._lock.release()
        for value in released:
            if self._release is not None:
                self._release(value)

    @property
    def missing(self) -> str | None:
        """Returns the reason why the component is not loaded, as one clause; None once it is loaded."""
        return None if self._loaded else f"{self.name} {self._problem}"

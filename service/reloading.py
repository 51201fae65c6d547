"""Reloading of settings while the service runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rerank.core.errors import RerankError
from rerank.core.settings import Settings

_log = logging.getLogger(__name__)

Commit = Callable[[], None]
"""Function that puts prepared changes into use. It must be fast and must not fail."""


@dataclass(frozen=True)
class ReloadablePart:
    """A part of the service that can change without a restart.

    settings: names of the settings that the part uses. prepare: does the work that can fail, such as loading a model,
    and returns the function that puts the result into use.
    """

    name: str
    settings: frozenset[str]
    prepare: Callable[[Settings], Commit]


@dataclass(frozen=True)
class ReloadReport:
    """Names of the reloaded parts, and of the changed settings that need a restart."""

    reloaded: tuple[str, ...]
    restart_required: tuple[str, ...]


@dataclass(eq=False)
class Reloader:
    """Thread-safe reload of all parts. Either all parts change or, if one fails, none.

    settings: the settings at the start. read: reads the settings again; None: they stay the same. on_reloaded: called
    after each reload that a request caused, to reload the other workers.
    """

    settings: Settings = field(default_factory=Settings)
    read: Callable[[], Settings] | None = None
    on_reloaded: Callable[[], None] = lambda: None
    _parts: list[ReloadablePart] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: ReloadablePart) -> None:
        """Adds a part."""
        self._parts.append(part)

    def reload(self) -> ReloadReport:
        """Reads the settings and reloads all parts. Raises SettingError, and the error of the first part that fails."""
        with self._lock:
            settings = self.settings if self.read is None else self.read()
            commits = [part.prepare(settings) for part in self._parts]
            for commit in commits:
                commit()
            reloadable = frozenset[str]().union(*(part.settings for part in self._parts))
            changed = [
                name
                for name in Settings.model_fields
                if name not in reloadable and getattr(settings, name) != getattr(self.settings, name)
            ]
        report = ReloadReport(tuple(part.name for part in self._parts), tuple(changed))
        _log.info("reloaded parts=%s restart_required=%s", ",".join(report.reloaded), ",".join(changed) or "none")
        return report

    def reload_or_log(self) -> None:
        """Reloads, and logs an error instead of raising it, for signals."""
        try:
            self.reload()
        except RerankError as exc:
            _log.error("reload failed, the previous settings stay in use: %s", exc.message)
        except Exception:  # noqa: BLE001  # the service must survive any error of a library
            _log.exception("reload failed, the previous settings stay in use")

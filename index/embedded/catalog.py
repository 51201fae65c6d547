"""Catalog of the folder: a small JSON file that is replaced in one step. Writers lock it; readers do not.

A copy is written after each change, from which a damaged catalog can be repaired.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from rerank.core.errors import StoreError, StoreUnavailable
from rerank.core.metadata import FieldType, MetadataSchema
from rerank.core.protocols import EncoderIdentity, IndexSpec

FILE = "catalog.json"
COPY = "catalog.copy.json"
LOCK = "catalog.lock"
LAYOUT_VERSION = 2
"""Version of the format of the catalog file and of the tables."""
LOCK_SECONDS = 60.0
"""Timeout of a writer that waits for the catalog lock."""


@dataclass(frozen=True)
class Generation:
    """Description of one table.

    widths: the largest number of values in each metadata field. passages: the largest number of passages in a document.
    retired: Unix time in seconds at which another generation replaced it.
    """

    name: str
    spec: IndexSpec
    created: str
    types: Mapping[str, FieldType] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    passages: int = 1
    retired: float | None = None

    @property
    def schema(self) -> MetadataSchema:
        """Types of the metadata fields."""
        return MetadataSchema(self.types)


@dataclass(frozen=True)
class Contents:
    """Contents of the catalog: generations by table name, table names by index name, index names by alias."""

    generations: Mapping[str, Generation] = field(default_factory=dict)
    live: Mapping[str, str] = field(default_factory=dict)
    building: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def with_generation(self, table: str, generation: Generation) -> Contents:
        """Returns a copy with *generation* as the description of *table*."""
        return replace(self, generations={**self.generations, table: generation})

    def without_table(self, table: str) -> Contents:
        """Returns a copy without *table*."""
        return replace(
            self,
            generations={key: value for key, value in self.generations.items() if key != table},
            live={name: value for name, value in self.live.items() if value != table},
            building={name: value for name, value in self.building.items() if value != table},
        )

    def without_dangling_aliases(self) -> Contents:
        """Returns a copy without aliases of missing indexes."""
        return replace(self, aliases={alias: name for alias, name in self.aliases.items() if name in self.live})


class Catalog:
    """Catalog of one folder. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE
        self._copy = folder / COPY
        self._lock_file = folder / LOCK
        self._cached: tuple[tuple[int, int, int], Contents] | None = None

    def contents(self) -> Contents:
        """Returns the current contents. The file is parsed only if it was replaced since the last call.

        Raises StoreUnavailable if the folder is missing, and StoreError if the file is damaged.
        """
        try:
            stat = self._file.stat()
        except FileNotFoundError as exc:
            if not self._folder.is_dir():
                raise StoreUnavailable(
                    f"The store folder {self._folder} was deleted. Restore it, or restart the service."
                ) from exc
            if self._copy.exists():
                raise self._damaged("is missing") from exc
            return Contents()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        cached = self._cached
        if cached is not None and cached[0] == stamp:
            return cached[1]
        contents = self._parsed(self._file)
        self._cached = (stamp, contents)
        return contents

    def restore(self, repaired: Callable[[Contents], Contents]) -> Contents:
        """Writes and returns *repaired* of the last valid contents: those of the file, or else of its copy."""
        with FileLock(self._lock_file, timeout=LOCK_SECONDS):
            try:
                last_valid = self._parsed(self._file) if self._file.exists() else self._parsed(self._copy)
            except StoreError:
                last_valid = self._parsed(self._copy)
            contents = repaired(last_valid)
            self._write(contents)
        return contents

    def _parsed(self, file: Path) -> Contents:
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
            if value["layout"] != LAYOUT_VERSION:
                raise StoreError(
                    f"{file} must have layout {LAYOUT_VERSION}, got {value['layout']}. Another version of "
                    "the service wrote it. Ingest the corpora into a new folder."
                )
            return _from_json(value)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise self._damaged("is not a valid catalog") from exc

    def _damaged(self, problem: str) -> StoreError:
        tables = ", ".join(sorted(path.stem for path in self._folder.glob("*.lance"))) or "none"
        return StoreError(
            f"{self._file} {problem}. Tables in the folder: {tables}. Run rerank-cli doctor --repair to rebuild the "
            "catalog from its copy and the intact tables, restore the file, or set store to another folder."
        )

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Locks the catalog and yields a change, whose `after` is written at the end of the block."""
        # FileLock would create a missing folder.
        self.contents()
        with FileLock(self._lock_file, timeout=LOCK_SECONDS):
            change = Change(self.contents())
            yield change
            if change.after is not change.before:
                self._write(change.after)
        for clean_up in change.clean_ups:
            clean_up()

    def _write(self, contents: Contents) -> None:
        text = json.dumps(_to_json(contents), ensure_ascii=False, indent=1)
        self._replace(self._file, text)
        # Without space for the copy, the change is still valid.
        with suppress(OSError):
            self._replace(self._copy, text)

    def _replace(self, file: Path, text: str) -> None:
        temporary = file.with_name(f"{file.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
        finally:
            # On a full disk a partial file would keep the remaining space occupied.
            temporary.unlink(missing_ok=True)


class Change:
    """Contents before and after a change, and clean-ups that run once the new contents are written and unlocked.

    Files are deleted in a clean-up, so that a process that is killed early leaves unused files, not a catalog that
    refers to missing files.
    """

    def __init__(self, before: Contents) -> None:
        self.before = before
        self.after = before
        self.clean_ups: list[Callable[[], None]] = []


def _to_json(contents: Contents) -> dict[str, Any]:
    return {"layout": LAYOUT_VERSION, **asdict(contents)}


def _from_json(value: dict[str, Any]) -> Contents:
    generations = {
        table: Generation(
            name=entry["name"],
            spec=IndexSpec(**{**entry["spec"], "encoder": EncoderIdentity(**entry["spec"]["encoder"])}),
            created=entry["created"],
            types={name: FieldType(kind) for name, kind in entry["types"].items()},
            widths=entry["widths"],
            passages=entry["passages"],
            retired=entry["retired"],
        )
        for table, entry in value["generations"].items()
    }
    return Contents(generations, value["live"], value["building"], value["aliases"])

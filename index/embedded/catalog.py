"""What is in the folder: a small JSON file, replaced as a whole, written under a lock, read without one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from rerank.core.errors import StoreError
from rerank.core.metadata import FieldType, MetadataSchema
from rerank.core.protocols import EncoderIdentity, IndexSpec

FILE = "catalog.json"
LOCK = "catalog.lock"
LAYOUT = 2
"""Of this file and of the tables that it leads to."""
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Generation:
    """One table. `widths`: the most values that a document has in each metadata field.

    passages: the most that a document has. retired: when (Unix seconds) another generation took its place.
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
        """The type of every metadata field."""
        return MetadataSchema(self.types)


@dataclass(frozen=True)
class Contents:
    """Everything in the catalog: generations by table, tables by index name, index names by alias."""

    generations: Mapping[str, Generation] = field(default_factory=dict)
    live: Mapping[str, str] = field(default_factory=dict)
    building: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def with_generation(self, table: str, generation: Generation) -> Contents:
        """With *generation* as what is known of *table*."""
        return replace(self, generations={**self.generations, table: generation})

    def without_table(self, table: str) -> Contents:
        """Without any trace of *table*."""
        return replace(
            self,
            generations={key: value for key, value in self.generations.items() if key != table},
            live={name: value for name, value in self.live.items() if value != table},
            building={name: value for name, value in self.building.items() if value != table},
        )


class Catalog:
    """The catalog of one folder. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock_file = folder / LOCK
        self._read: tuple[tuple[int, int, int], Contents] | None = None

    def contents(self) -> Contents:
        """What the catalog says now; the file is read again only when it was replaced."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return Contents()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._read
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            value = json.loads(self._file.read_text(encoding="utf-8"))
            if value["layout"] != LAYOUT:
                raise StoreError(
                    f"{self._file}: was written by another version of this product (layout {value['layout']}, not "
                    f"{LAYOUT}); ingest your corpora into a new folder"
                )
            contents = _from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise StoreError(f"{self._file}: not a catalog of this product; set the store to another folder") from exc
        self._read = (stamp, contents)
        return contents

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """The contents to be changed, alone; set `after` on it, and it is written at the end."""
        with FileLock(self._lock_file, timeout=WAIT_SECONDS):
            change = Change(self.contents())
            yield change
            if change.after is not change.before:
                self._write(change.after)
        for step in change.afterwards:
            step()

    def _write(self, contents: Contents) -> None:
        temporary = self._file.with_name(f"{FILE}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                json.dump(_to_json(contents), stream, ensure_ascii=False, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._file)
        finally:
            # On a full disk a half-written one would take what room there is left.
            temporary.unlink(missing_ok=True)


class Change:
    """The contents before, what they shall be after, and what is to be done once they are written.

    Files go afterwards, when others may change the catalog again: a process that is killed in between leaves files
    that nobody knows, never a catalog that leads to files that are gone.
    """

    def __init__(self, before: Contents) -> None:
        self.before = before
        self.after = before
        self.afterwards: list[Callable[[], None]] = []


def _to_json(contents: Contents) -> dict[str, Any]:
    return {"layout": LAYOUT, **asdict(contents)}


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

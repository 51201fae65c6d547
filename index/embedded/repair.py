"""Repair of a damaged catalog from its copy and from the tables in the folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import StoreError
from rerank.index.embedded.catalog import Catalog, Contents


@dataclass(frozen=True, slots=True)
class Repair:
    """Result of a repair: the indexes that can be used, and the tables that were left out, each with the reason."""

    indexes: tuple[str, ...]
    left_out: tuple[str, ...]


def repair_catalog(folder: Path, *, check_table: Callable[[str], None]) -> Repair:
    """Replaces the catalog in *folder* by its last valid contents without the tables that cannot be read.

    check_table: function that raises StoreError if a table cannot be read. No table is deleted. Raises StoreError if
    neither the catalog nor its copy is valid.
    """
    catalog = Catalog(folder)
    left_out: list[str] = []

    def repaired(contents: Contents) -> Contents:
        for table, generation in contents.generations.items():
            try:
                check_table(table)
            except StoreError as exc:
                left_out.append(f'{table} of index "{generation.name}": {exc.message}')
                contents = contents.without_table(table)
        return contents.without_dangling_aliases()

    contents = catalog.restore(repaired)
    unknown = sorted({path.stem for path in folder.glob("*.lance")} - contents.generations.keys())
    reported = {line.partition(" ")[0] for line in left_out}
    left_out += [f"{table}: it is not in the catalog" for table in unknown if table not in reported]
    return Repair(tuple(sorted(contents.live)), tuple(left_out))

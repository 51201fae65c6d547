"""What a document may say about itself, and the type that each field keeps for good.

The first value seen fixes a field's type; a later one that does not fit rejects its document. Both stores take
their column and mapping types from here, so that a filter means the same on each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite

from rerank.core.document import Metadata, MetadataValue, Scalar
from rerank.core.errors import MetadataError

MAX_KEYWORD_CHARS = 8191
"""Longer strings are kept but cannot be filtered on: Lucene's longest term is 32,766 bytes."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?")
"""What OpenSearch's strict_date_optional_time reads, from the day on."""

_MAX_ZONE = timedelta(hours=18)
"""OpenSearch knows no clock that is further from UTC."""

_FIELD = re.compile(r"[^\s.](?:[^.]*[^\s.])?(?:\.[^\s.](?:[^.]*[^\s.])?)*")


class FieldType(StrEnum):
    """What a metadata field holds; a list of values has the type of its members."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


def parse_date(value: str) -> datetime | None:
    """*value* as an instant, UTC where it names no zone; None when it is no ISO 8601 date."""
    if not _DATE.fullmatch(value):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    zone = instant.utcoffset()
    if zone is None:
        return instant.replace(tzinfo=UTC)
    return instant if abs(zone) <= _MAX_ZONE else None


def _scalar_type(value: object) -> FieldType | None:
    if isinstance(value, bool):
        return FieldType.BOOLEAN
    if isinstance(value, int | float):
        return FieldType.NUMBER
    if isinstance(value, str):
        return FieldType.DATE if parse_date(value) else FieldType.STRING
    return None


def _fits(value: Scalar, known: FieldType) -> bool:
    """A date is also a string: a field whose first value was plain text takes later dates as text."""
    found = _scalar_type(value)
    return found is known or (known is FieldType.STRING and found is FieldType.DATE)


def values_of(value: MetadataValue) -> list[Scalar]:
    """The members of *value*: itself, or those of a list."""
    return list(value) if isinstance(value, list) else [value]


def clean_metadata(record: Mapping[str, object]) -> dict[str, MetadataValue]:
    """The fields of *record* as metadata: nulls and empty lists dropped, everything else checked.

    Raises MetadataError, naming the field, for a value that is no string, finite number, boolean, date or list of
    one of them, and for a name that a store cannot hold.
    """
    metadata: dict[str, MetadataValue] = {}
    for name, value in record.items():
        if value is None or value == []:
            continue
        if not _FIELD.fullmatch(name) or len(name) > 256:
            raise MetadataError(f'metadata field "{name}": a name has no blank or dot at its ends; rename or drop it')
        members = value if isinstance(value, list) else [value]
        if None in members or any(_scalar_type(member) is None for member in members):
            raise MetadataError(
                f'metadata field "{name}": a value is a string, number, boolean, date or a list of one of them, '
                f"not {_kind(value)}; flatten or drop the field"
            )
        if any(isinstance(member, int | float) and not _finite(member) for member in members):
            raise MetadataError(f'metadata field "{name}": a number is finite and fits a double')
        metadata[name] = value  # type: ignore[assignment]  # every member was checked above
    return metadata


def _finite(number: float) -> bool:
    try:
        return isfinite(float(number))
    except OverflowError:
        return False


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list of mixed or nested values" if isinstance(value, list) else type(value).__name__


@dataclass(frozen=True)
class MetadataSchema:
    """The type of every metadata field of one index."""

    types: Mapping[str, FieldType] = field(default_factory=dict)

    def extended(self, metadata: Metadata) -> MetadataSchema:
        """This schema with the new fields of *metadata*; itself when there are none.

        Raises MetadataError when a value does not fit its field's type, or when a new field's dotted name runs
        through a field that holds values ("a" and "a.b").
        """
        new: dict[str, FieldType] = {}
        for name, value in metadata.items():
            known = self.types.get(name)
            if known is None:
                known = _type_for(name, value, {**self.types, **new})
                new[name] = known
            for member in values_of(value):
                if not _fits(member, known):
                    raise MetadataError(
                        f'metadata field "{name}" holds {known} values in this index, but this one is {member!r}'
                    )
        return MetadataSchema({**self.types, **new}) if new else self


def _type_for(name: str, value: MetadataValue, types: Mapping[str, FieldType]) -> FieldType:
    for other in types:
        if other.startswith(f"{name}.") or name.startswith(f"{other}."):
            raise MetadataError(f'metadata field "{name}" cannot stand beside "{other}"; rename one of them')
    found = {_scalar_type(member) for member in values_of(value)}
    if found == {FieldType.STRING, FieldType.DATE}:
        return FieldType.STRING
    kind = found.pop()
    if kind is None or found:
        raise MetadataError(f'metadata field "{name}": the values of a list are of one type')
    return kind

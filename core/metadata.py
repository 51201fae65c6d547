"""Metadata of documents, and the type of each metadata field.

The first value of a field sets its type. A document with a value of another type is rejected. Both stores derive their
column and mapping types from this schema, so that filters have the same results on each.
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
"""Longest string that filters can match: Lucene terms have at most 32,766 bytes. Longer strings are stored."""

MAX_FIELDS = 500
"""Maximum number of metadata fields of an index. Each field is a column or a property; OpenSearch allows 1,000."""

MAX_LIST_VALUES = 1_000
"""Maximum number of values of one field of a document."""

MAX_NAME_CHARS = 256

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?")
"""OpenSearch's strict_date_optional_time with at least a day. datetime.fromisoformat alone accepts other formats."""

_MAX_ZONE = timedelta(hours=18)
"""Largest offset from UTC that OpenSearch accepts."""

_FIELD = re.compile(r"[^\s.](?:[^.]*[^\s.])?(?:\.[^\s.](?:[^.]*[^\s.])?)*")


class FieldType(StrEnum):
    """Type of a metadata field. A list has the type of its members."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


def parse_date(value: str) -> datetime | None:
    """Returns the instant of an ISO 8601 date, in UTC if it has no offset; None if *value* is not a date."""
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


def _fits(value: Scalar, field_type: FieldType) -> bool:
    """Returns True if a field of *field_type* accepts *value*. A string field also accepts dates, as text."""
    value_type = _scalar_type(value)
    return value_type is field_type or (field_type is FieldType.STRING and value_type is FieldType.DATE)


def values_of(value: MetadataValue) -> list[Scalar]:
    """Returns the members of a list, or *value* alone."""
    return list(value) if isinstance(value, list) else [value]


def clean_metadata(record: Mapping[str, object]) -> dict[str, MetadataValue]:
    """Returns the fields of *record* as metadata, without nulls and empty lists.

    Raises MetadataError with the field's name for a value that is not a string, finite number, boolean, date or list of
    one of them, for a list of more than MAX_LIST_VALUES, and for a name that a store refuses. Raises it, too, for a
    record with more than MAX_FIELDS fields.
    """
    if len(record) > MAX_FIELDS:
        raise MetadataError(
            f"a document must have at most {MAX_FIELDS} metadata fields, got {len(record):,}. Drop some of them"
        )
    metadata: dict[str, MetadataValue] = {}
    for name, value in record.items():
        if value is None or value == []:
            continue
        if len(name) > MAX_NAME_CHARS or not _FIELD.fullmatch(name):
            raise MetadataError(
                f'metadata field "{name[:MAX_NAME_CHARS]}": a name must not start or end with a space or a dot, and '
                f"must have at most {MAX_NAME_CHARS} characters. Rename or drop the field"
            )
        members = value if isinstance(value, list) else [value]
        if len(members) > MAX_LIST_VALUES:
            raise MetadataError(
                f'metadata field "{name}": a list must have at most {MAX_LIST_VALUES:,} values, got {len(members):,}. '
                "Shorten the list or drop the field"
            )
        if None in members or any(_scalar_type(member) is None for member in members):
            raise MetadataError(
                f'metadata field "{name}": a value must be a string, number, boolean, date or a list of one of them, '
                f"got {_json_type(value)}. Flatten or drop the field"
            )
        if any(isinstance(member, int | float) and not _finite(member) for member in members):
            raise MetadataError(f'metadata field "{name}": a number must be finite and within the range of a double')
        metadata[name] = value  # type: ignore[assignment]  # every member was checked above
    return metadata


def _finite(number: float) -> bool:
    try:
        return isfinite(float(number))
    except OverflowError:
        return False


def _json_type(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list of mixed or nested values" if isinstance(value, list) else type(value).__name__


@dataclass(frozen=True)
class MetadataSchema:
    """Types of the metadata fields of one index."""

    types: Mapping[str, FieldType] = field(default_factory=dict)

    def extended(self, metadata: Metadata) -> MetadataSchema:
        """Returns the schema with the new fields of *metadata*, or itself if there are none.

        Raises MetadataError if a value does not have its field's type, if one field's dotted name is a prefix of
        another ("a" and "a.b"), or if the index would have more than MAX_FIELDS fields.
        """
        new: dict[str, FieldType] = {}
        for name, value in metadata.items():
            field_type = self.types.get(name)
            if field_type is None:
                if len(self.types) + len(new) >= MAX_FIELDS:
                    raise MetadataError(
                        f'metadata field "{name}": an index must have at most {MAX_FIELDS} metadata fields. Drop the '
                        "field, or move rare fields to one list field"
                    )
                field_type = _type_for(name, value, {**self.types, **new})
                new[name] = field_type
            for member in values_of(value):
                if not _fits(member, field_type):
                    raise MetadataError(
                        f'metadata field "{name}" has {field_type} values in this index, got {member!r}'
                    )
        return MetadataSchema({**self.types, **new}) if new else self


def _type_for(name: str, value: MetadataValue, types: Mapping[str, FieldType]) -> FieldType:
    for other in types:
        if other.startswith(f"{name}.") or name.startswith(f"{other}."):
            raise MetadataError(f'metadata field "{name}" conflicts with the field "{other}". Rename one of them')
    member_types = {_scalar_type(member) for member in values_of(value)}
    if member_types == {FieldType.STRING, FieldType.DATE}:
        return FieldType.STRING
    field_type = member_types.pop()
    if field_type is None or member_types:
        raise MetadataError(f'metadata field "{name}": the values of a list must have the same type')
    return field_type

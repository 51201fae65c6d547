"""Rules for metadata: allowed values, and types of fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import MetadataValue
from rerank.core.errors import MetadataError
from rerank.core.metadata import FieldType, MetadataSchema, clean_metadata, parse_date, values_of


def test_valid_values_stay_and_empty_values_are_removed() -> None:
    """Strings, finite numbers, booleans, dates and lists stay; null and empty lists are removed."""
    record: dict[str, object] = {
        "string": "x",
        "empty": "",
        "number": 1.5,
        "large": 10**30,
        "flag": False,
        "date": "2020-02-29",
        "list": ["a", "b"],
        "null": None,
        "none": [],
        "a.b": 1,
        "with space": 1,
    }
    expected = {name: value for name, value in record.items() if name not in ("null", "none")}
    assert clean_metadata(record) == expected


@pytest.mark.parametrize(
    "value",
    [{}, {"a": 1}, [{}], [[1]], [None], ["a", None], float("nan"), float("inf"), [float("nan")], 10**400, b"x", (1,)],
)
def test_invalid_values_are_refused(value: object) -> None:
    """The error names the field."""
    with pytest.raises(MetadataError, match='metadata field "m"'):
        clean_metadata({"m": value})


def test_long_lists_and_many_fields_are_refused() -> None:
    """The error names the limit, and the field if there is one."""
    assert clean_metadata({"m": ["x"] * 1_000}) == {"m": ["x"] * 1_000}
    with pytest.raises(MetadataError, match='"m": a list must have at most 1,000 values, got 1,001'):
        clean_metadata({"m": ["x"] * 1_001})
    with pytest.raises(MetadataError, match="at most 500 metadata fields, got 501"):
        clean_metadata({f"f{i}": 1 for i in range(501)})


def test_fields_of_an_index_are_limited() -> None:
    """The fields of all documents count together."""
    full = MetadataSchema().extended({f"f{i}": 1 for i in range(500)})
    assert full.extended({"f0": 2}) == full
    with pytest.raises(MetadataError, match='"new": an index must have at most 500 metadata fields'):
        full.extended({"f0": 2, "new": 1})


@pytest.mark.parametrize("name", ["", " ", " a", "a ", ".a", "a.", "a..b", "a. b", "a .b", ".", "x" * 257])
def test_invalid_field_names_are_refused(name: str) -> None:
    """OpenSearch interprets dots as paths."""
    with pytest.raises(MetadataError, match="Rename or drop the field"):
        clean_metadata({name: 1})


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2020-02-29", datetime(2020, 2, 29, tzinfo=UTC)),
        ("2020-02-29T10:30", datetime(2020, 2, 29, 10, 30, tzinfo=UTC)),
        ("2020-02-29T10:30:01Z", datetime(2020, 2, 29, 10, 30, 1, tzinfo=UTC)),
        ("2020-02-29T10:30:01.5+01:00", datetime(2020, 2, 29, 9, 30, 1, 500_000, tzinfo=UTC)),
        ("2020-02-29T10:30:01.123456789-18:00", datetime(2020, 3, 1, 4, 30, 1, 123456, tzinfo=UTC)),
        ("2021-02-29", None),
        ("0000-01-01", None),
        ("2020-02-29T25:00", None),
        ("2020-02-29T10:30+18:01", None),
        ("2020-02-29 10:30", None),
        ("2020-2-9", None),
        ("20200229", None),
        ("2020", None),
        ("2020-02-29\n", None),
        ("٢٠٢٠-٠٢-٢٩", None),
        ("", None),
    ],
)
def test_dates_are_those_that_both_stores_accept(value: str, instant: datetime | None) -> None:
    """A date is ISO 8601 with at least a day, in UTC if it has no offset."""
    assert parse_date(value) == instant


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])))
def test_isoformat_of_any_instant_is_parsed(instant: datetime) -> None:
    assert parse_date(instant.isoformat()) == instant


@pytest.mark.parametrize(
    ("value", "field_type"),
    [
        ("x", FieldType.STRING),
        ("5", FieldType.STRING),
        ("2020-01-01", FieldType.DATE),
        (5, FieldType.NUMBER),
        (5.5, FieldType.NUMBER),
        (True, FieldType.BOOLEAN),
        (["a", "b"], FieldType.STRING),
        ([1, 2.5], FieldType.NUMBER),
        (["2020-01-01", "2021-01-01T10:00Z"], FieldType.DATE),
        (["2020-01-01", "soon"], FieldType.STRING),
    ],
)
def test_first_value_sets_the_field_type(value: MetadataValue, field_type: FieldType) -> None:
    """A list has the type of its members."""
    schema = MetadataSchema().extended({"m": value})
    assert schema == MetadataSchema({"m": field_type})
    assert schema.extended({"m": value}) is schema


@pytest.mark.parametrize(
    ("field_type", "fitting", "unfitting"),
    [
        (FieldType.STRING, ["x", "2020-01-01", ["a", "2020-01-01"]], [1, True, ["a", 1]]),
        (FieldType.NUMBER, [1, 1.5, [1, 2]], ["1", True, [1, "a"]]),
        (FieldType.BOOLEAN, [True, [False]], ["true", 0, 1]),
        (FieldType.DATE, ["2020-01-01", ["2020-01-01"]], ["soon", 2020, ["2020-01-01", "soon"]]),
    ],
)
def test_later_value_must_have_the_field_type(
    field_type: FieldType, fitting: list[MetadataValue], unfitting: list[MetadataValue]
) -> None:
    """A string field accepts dates; there are no other conversions."""
    schema = MetadataSchema({"m": field_type})
    for value in fitting:
        assert schema.extended({"m": value}) is schema
    for value in unfitting:
        with pytest.raises(MetadataError, match=f'metadata field "m" has {field_type} values'):
            schema.extended({"m": value})


@pytest.mark.parametrize("value", [[1, "a"], [True, 1], ["a", False], [1, "2020-01-01"]])
def test_list_of_mixed_types_is_refused(value: MetadataValue) -> None:
    """A filter on such a field would be ambiguous."""
    with pytest.raises(MetadataError, match="the values of a list must have the same type"):
        MetadataSchema().extended({"m": value})


@pytest.mark.parametrize(("first", "second"), [("a", "a.b"), ("a.b", "a"), ("a.b", "a.b.c")])
def test_field_name_that_extends_another_is_refused(first: str, second: str) -> None:
    """The rule applies within one document and across documents, in either order."""
    with pytest.raises(MetadataError, match=f'"{second}" conflicts with the field "{first}"'):
        MetadataSchema().extended({first: 1}).extended({second: 1})
    with pytest.raises(MetadataError, match=f'"{second}" conflicts with the field "{first}"'):
        MetadataSchema().extended({first: 1, second: 1})
    assert MetadataSchema().extended({"a": 1, "ab": 1, "b.a": 1}).types.keys() == {"a", "ab", "b.a"}


def test_rejected_document_does_not_change_the_schema() -> None:
    """A schema is immutable."""
    schema = MetadataSchema({"m": FieldType.NUMBER})
    with pytest.raises(MetadataError):
        schema.extended({"new": 1, "m": "x"})
    assert schema == MetadataSchema({"m": FieldType.NUMBER})


def test_values_of_returns_a_list_for_single_values() -> None:
    """Stores treat lists and single values alike."""
    assert (values_of("x"), values_of([1, 2])) == (["x"], [1, 2])

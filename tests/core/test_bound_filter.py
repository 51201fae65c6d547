"""Rules for converting filter values to the types of their fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.bound_filter import (
    BoundBool,
    BoundExists,
    BoundFilter,
    BoundPrefix,
    BoundRange,
    BoundTerms,
    MatchNone,
    bind,
    epoch_millis_of,
)
from rerank.core.document import Scalar
from rerank.core.errors import InvalidFilter
from rerank.core.filters import MAX_CLAUSES, Bool, Exists, Filter, Prefix, Range, Terms
from rerank.core.metadata import FieldType, MetadataSchema

STRING, NUMBER, BOOLEAN, DATE = FieldType.STRING, FieldType.NUMBER, FieldType.BOOLEAN, FieldType.DATE
SCHEMA = MetadataSchema({"s": STRING, "n": NUMBER, "b": BOOLEAN, "d": DATE})
DAY = 86_400_000
NOON = "1970-01-02T12:00"


@pytest.mark.parametrize(
    ("clause", "bound"),
    [
        (Terms("s", ("x", 5, 1.5, True)), BoundTerms("s", STRING, ("x", "5", "1.5", "true"))),
        (Terms("n", (5, "5", "1e3", 2.5)), BoundTerms("n", NUMBER, (5.0, 1000.0, 2.5))),
        (Terms("b", (True, "false", "true")), BoundTerms("b", BOOLEAN, (True, False))),
        (Terms("n", ()), BoundTerms("n", NUMBER, ())),
        (Range("n", (("gte", "5"), ("lt", 7))), BoundRange("n", NUMBER, (("gte", 5.0), ("lt", 7.0)))),
        (Range("s", (("gt", "a"), ("lte", 5))), BoundRange("s", STRING, (("gt", "a"), ("lte", "5")))),
        (Range("n", ()), BoundRange("n", NUMBER, ())),
        (
            Range("n", (("lt", 9), ("gte", 5), ("gt", 5), ("lte", 9))),
            BoundRange("n", NUMBER, (("gt", 5.0), ("lt", 9.0))),
        ),
        (Range("n", (("gte", 6), ("gt", 5))), BoundRange("n", NUMBER, (("gte", 6.0),))),
        (Exists("d"), BoundExists("d", DATE)),
        (Prefix("s", "x"), BoundPrefix("s", "x")),
    ],
)
def test_filter_values_are_converted_to_the_field_type(clause: Filter, bound: BoundFilter) -> None:
    """OpenSearch's rules: a quoted number equals a number if the field is numeric."""
    assert bind(clause, SCHEMA) == bound


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((("gte", "1970-01-02"),), (("gte", DAY),)),
        ((("lt", "1970-01-02"),), (("lt", DAY),)),
        ((("lte", "1970-01-02"),), (("lt", 2 * DAY),)),
        ((("gt", "1970-01-02"),), (("gte", 2 * DAY),)),
        ((("gt", NOON), ("lte", NOON)), (("gt", DAY + DAY // 2), ("lte", DAY + DAY // 2))),
        ((("lte", "9999-12-31"),), (("lt", 253_402_300_800_000),)),
        ((("gte", "1969-12-31T23:59:59.9995Z"),), (("gte", -1),)),
    ],
)
def test_day_bounds_cover_the_whole_day(
    bounds: tuple[tuple[str, str | int | float], ...], expected: tuple[tuple[str, float], ...]
) -> None:
    """lte includes the day, and gt starts with the next day. Instants are exact."""
    assert bind(Range("d", bounds), SCHEMA) == BoundRange("d", DATE, expected)


def test_date_terms_become_ranges_of_days_and_one_list_of_instants() -> None:
    """Any time of a day matches; consecutive days are one range."""
    first = BoundRange("d", DATE, (("gte", 0), ("lt", DAY)))
    assert bind(Terms("d", ("1970-01-01",)), SCHEMA) == first
    assert bind(Terms("d", (NOON, "1970-01-01", NOON)), SCHEMA) == BoundBool(
        should=(first, BoundTerms("d", DATE, (DAY + DAY // 2,))), minimum_should=1
    )
    days = ("1970-01-05", "1970-01-02", "1970-01-01", "1970-01-02")
    assert bind(Terms("d", days), SCHEMA) == BoundBool(
        should=(
            BoundRange("d", DATE, (("gte", 0), ("lt", 2 * DAY))),
            BoundRange("d", DATE, (("gte", 4 * DAY), ("lt", 5 * DAY))),
        ),
        minimum_should=1,
    )


def test_ranges_of_days_count_as_clauses() -> None:
    """Days that are not consecutive need one clause each, and the limit of clauses applies."""
    days = [(datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=2 * i)).date().isoformat() for i in range(MAX_CLAUSES)]
    bind(Terms("d", tuple(days[:-1])), SCHEMA)
    with pytest.raises(InvalidFilter, match="at most 512 clauses"):
        bind(Terms("d", tuple(days)), SCHEMA)


@pytest.mark.parametrize(
    ("minimum", "bound"),
    [
        (0, BoundBool()),
        (1, BoundBool(should=(BoundExists("s", STRING), BoundExists("n", NUMBER)), minimum_should=1)),
        (2, BoundBool(must=(BoundExists("s", STRING), BoundExists("n", NUMBER)))),
        (3, MatchNone()),
        (2**40, MatchNone()),
    ],
)
def test_minimum_should_match_is_reduced(minimum: int, bound: BoundFilter) -> None:
    """Stores only compile a minimum of which more and fewer clauses can match."""
    assert bind(Bool(should=(Exists("s"), Exists("n")), minimum_should=minimum), SCHEMA) == bound


def test_minimum_of_no_should_clauses_matches_no_document() -> None:
    """An empty list has no clause that could match."""
    assert bind(Bool(minimum_should=1), SCHEMA) == MatchNone()


@pytest.mark.parametrize("clause", [Terms("x", (1,)), Range("x", (("gt", 1),)), Exists("x"), Prefix("x", "a")])
def test_unknown_field_matches_no_document(clause: Filter) -> None:
    """An unknown field is not an error, because later documents can have the field."""
    assert bind(clause, SCHEMA) == MatchNone()


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        (0, BoundBool((BoundExists("s", STRING),), (), (BoundTerms("b", BOOLEAN, (True,)),), 0)),
        (
            1,
            BoundBool(
                (BoundExists("s", STRING),),
                (MatchNone(), BoundExists("n", NUMBER)),
                (BoundTerms("b", BOOLEAN, (True,)),),
                1,
            ),
        ),
        (
            2,
            BoundBool(
                (BoundExists("s", STRING), MatchNone(), BoundExists("n", NUMBER)),
                (),
                (BoundTerms("b", BOOLEAN, (True,)),),
                0,
            ),
        ),
        (3, MatchNone()),
    ],
)
def test_bool_binds_all_its_clauses(minimum: int, expected: BoundFilter) -> None:
    """Optional clauses that must all match become required, and a minimum above their number matches nothing."""
    clause = Bool((Exists("s"),), (Exists("x"), Exists("n")), (Terms("b", ("true",)),), minimum)
    assert bind(clause, SCHEMA) == expected


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        (Terms("n", ("many",)), "\"metadata.n\" must be compared with a number, got 'many'"),
        (Terms("n", (True,)), '"metadata.n" must be compared with a number, got True'),
        (Terms("n", ("nan",)), "got 'nan'"),
        (Terms("n", ("inf",)), "got 'inf'"),
        (Terms("n", ("1_000",)), "got '1_000'"),
        (Terms("n", (10**400,)), '"metadata.n" must be compared with a number'),
        (Terms("b", (1,)), '"metadata.b" must be compared with a boolean, got 1'),
        (Terms("b", ("yes",)), '"metadata.b" must be compared with a boolean'),
        (Terms("d", ("soon",)), "\"metadata.d\" must be compared with an ISO 8601 date, got 'soon'"),
        (Terms("d", (5,)), '"metadata.d" must be compared with an ISO 8601 date'),
        (Range("d", (("gt", 5),)), '"metadata.d" must be compared with an ISO 8601 date'),
        (Range("b", (("gt", "true"),)), '"metadata.b" has boolean values. Use term instead of range'),
        (Prefix("n", "1"), '"metadata.n" must have string values for prefix, got number values'),
        (Prefix("d", "1970"), '"metadata.d" must have string values for prefix, got date values'),
    ],
)
def test_value_of_wrong_type_is_refused(clause: Filter, message: str) -> None:
    """The message names the field, the expected type and the value."""
    with pytest.raises(InvalidFilter) as caught:
        bind(clause, SCHEMA)
    assert message in caught.value.message
    assert caught.value.field == "filter"


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999), st.integers(0, 999))
def test_milliseconds_are_exact(millis: int, micros: int) -> None:
    """Integer arithmetic is exact for values that floats cannot represent."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis, microseconds=micros)
    assert epoch_millis_of(instant) == millis


@given(
    st.sampled_from(["s", "n", "b", "d", "x"]),
    st.text(max_size=12) | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.dates().map(str),
)
def test_any_value_is_bound_or_refused(name: str, value: Scalar) -> None:
    """A value of any type is converted or raises InvalidFilter."""
    clauses: list[Filter] = [Terms(name, (value,)), Exists(name)]
    if not isinstance(value, bool):
        clauses.append(Range(name, (("gt", value), ("lte", value))))
    for clause in clauses:
        try:
            bind(clause, SCHEMA)
        except InvalidFilter:
            assert name != "x"

"""The object `boosts` of a request."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from rerank.core.boosts import MAX_IDS, MAX_WEIGHT, Boosts, LogBoost, RecencyBoost, parse_half_life
from rerank.core.errors import InvalidRequest
from rerank.service.strict_model import StrictModel
from rerank.service.validation import check_unicode, validate_body

PREFIX = "metadata."
_Weight = Annotated[FiniteFloat, Field(ge=0, le=MAX_WEIGHT)]
_Id = Annotated[str, Field(min_length=1, max_length=512)]


class RecencyBody(StrictModel):
    """A boost of new documents, by a date field."""

    field: str = Field(min_length=1, max_length=512, description="Date field.")
    half_life: str = Field(description="Age at which half of the boost remains, such as 12h, 30d or 4w.")
    weight: _Weight = Field(1.0, description="Log-odds that a new document gains.")


class LogBody(StrictModel):
    """A boost by the logarithm of a numeric field."""

    field: str = Field(min_length=1, max_length=512, description="Numeric field.")
    weight: _Weight = Field(1.0, description="Log-odds that each factor of ten adds.")


class BoostsBody(StrictModel):
    """Boosts of the final order."""

    recency: RecencyBody | None = Field(None, description="Boost of new documents.")
    log: LogBody | None = Field(None, description="Boost by the logarithm of a number.")
    pinned: list[_Id] | None = Field(None, max_length=MAX_IDS, description="Ids at the top, in this order.")
    excluded: list[_Id] | None = Field(None, max_length=MAX_IDS, description="Ids to remove.")

    def to_boosts(self, key: str = "boosts", *, prefix: str = PREFIX) -> Boosts:
        """Returns the boosts. Fields must start with *prefix*. Raises InvalidRequest, which names the *key*."""
        pinned, excluded = self.pinned or [], self.excluded or []
        for name, ids in (("pinned", pinned), ("excluded", excluded)):
            check_unicode(ids, f"{key}.{name}")
            if len(set(ids)) < len(ids):
                raise InvalidRequest(f'"{key}.{name}" must not repeat an id', field=f"{key}.{name}")
        if both := sorted(set(pinned) & set(excluded)):
            raise InvalidRequest(f'"{key}.excluded" must not have pinned ids, got "{both[0]}"', field=f"{key}.excluded")
        recency = None
        if self.recency is not None:
            half_life = parse_half_life(self.recency.half_life)
            if half_life is None:
                raise InvalidRequest(
                    f'"{key}.recency.half_life" must be a number and a unit of s, m, h, d or w, such as 30d',
                    field=f"{key}.recency.half_life",
                )
            field = _checked(self.recency.field, f"{key}.recency.field", prefix)
            recency = RecencyBoost(field, half_life, self.recency.weight)
        log = None
        if self.log is not None:
            log = LogBoost(_checked(self.log.field, f"{key}.log.field", prefix), self.log.weight)
        return Boosts(recency, log, tuple(pinned), frozenset(excluded))


class _Body(StrictModel):
    boosts: BoostsBody


def parse_boosts(value: object) -> Boosts:
    """Returns the boosts of a JSON *value*. Raises InvalidRequest, which names the key."""
    return validate_body(_Body, {"boosts": value}).boosts.to_boosts()


def _checked(field: str, key: str, prefix: str) -> str:
    check_unicode(field, key)
    if not field.startswith(prefix):
        raise InvalidRequest(f'"{key}" must start with {prefix}, got "{field[:60]}"', field=key)
    return field

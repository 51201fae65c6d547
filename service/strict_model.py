"""What requests and answers are read and described by: no key beyond those named, no type made into another."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen value of JSON; a key that it does not name, or a value of another type, is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

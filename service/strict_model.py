"""Base class of the models that validate requests and describe responses."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen JSON object that rejects unknown keys and never converts a value to another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

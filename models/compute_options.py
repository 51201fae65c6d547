"""Options for computing models: runtime, precision and cache folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rerank.core.setting_types import Precision, Runtime
from rerank.core.settings import Settings

DEFAULT_CACHE = Path(str(Settings.model_fields["cache_dir"].default))


@dataclass(frozen=True)
class ComputeOptions:
    """A runtime, a precision and the folder of converted models. `auto` selects the fastest."""

    runtime: Runtime = "auto"
    precision: Precision = "auto"
    cache_dir: Path = DEFAULT_CACHE

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns the options in *settings*."""
        return cls(settings.runtime, settings.precision, Path(settings.cache_dir))

    @property
    def cache(self) -> Path:
        """The cache folder with `~` expanded."""
        return self.cache_dir.expanduser()


AUTO_COMPUTE = ComputeOptions()
"""The fastest runtime and precision, with the default cache folder."""

REPRODUCIBLE_COMPUTE = ComputeOptions(precision="float32")
"""Options of training runs with a seed: the result must not depend on a speed measurement."""

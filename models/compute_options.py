"""What computes the models, as the settings say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rerank.core.settings import Precision, Runtime, Settings

DEFAULT_CACHE = Path(str(Settings.model_fields["cache_dir"].default))


@dataclass(frozen=True)
class ComputeOptions:
    """A runtime and a precision, or `auto` for the fastest; what is found out and converted is kept in *cache_dir*."""

    runtime: Runtime = "auto"
    precision: Precision = "auto"
    cache_dir: Path = DEFAULT_CACHE

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As *settings* say it."""
        return cls(settings.runtime, settings.precision, Path(settings.cache_dir))

    @property
    def cache(self) -> Path:
        """The cache's folder, the user's own named in full."""
        return self.cache_dir.expanduser()


AUTO_COMPUTE = ComputeOptions()
"""What nobody has decided is the fastest, kept in the default folder."""

REPRODUCIBLE_COMPUTE = ComputeOptions(precision="float32")
"""What a run with a seed is taught by: which way was the fastest in a trial must not decide what comes out."""

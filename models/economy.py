"""Work that is not done: which readings of a reranker are left out or made shorter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


class EconomySettings(Protocol):
    """The settings that say so."""

    @property
    def fast_reranker(self) -> str:
        """What reads all candidates first; empty: nothing."""

    @property
    def contenders(self) -> int:
        """How many of a search's candidates, or of texts where there is a fast reranker, the model reads; 0: all."""

    @property
    def stop_probability(self) -> float:
        """With which the first k may still change when reading stops."""

    @property
    def passage_tokens(self) -> int:
        """Tokens that are read of a passage."""


@dataclass(frozen=True)
class Economy:
    """The values of the settings of these names; by default everything is read."""

    fast_reranker: str = ""
    contenders: int = 0
    stop_probability: float = 0.0
    passage_tokens: int = 0

    @classmethod
    def of(cls, settings: EconomySettings) -> Self:
        """As *settings* have it."""
        return cls(
            fast_reranker=settings.fast_reranker,
            contenders=settings.contenders,
            stop_probability=settings.stop_probability,
            passage_tokens=settings.passage_tokens,
        )


READ_ALL = Economy()

"""Processes that train one model together, as torchrun and accelerate start them; alone, the one is the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate import PartialState


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return bool(PartialState().is_main_process)


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The block is run by the first process, then by the others, which find what it left."""
    with PartialState().main_process_first():
        yield

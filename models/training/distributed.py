"""Processes that train one model together, as torchrun and accelerate start them; alone, the one is the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

_PATIENCE = timedelta(days=2)
"""The others wait while the first one mines, or listens to a teacher: that may take hours."""


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return bool(_state().is_main_process)


def wait_for_all_processes() -> None:
    """Come back when every process has come here."""
    _state().wait_for_everyone()


@contextmanager
def main_process_first() -> Iterator[None]:
    """The block is run by the first process, then by the others, which find what it left."""
    with _state().main_process_first():
        yield


def _state() -> PartialState:
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)

"""Distributed training: processes started by torchrun or accelerate. A single process is the main process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

# The other processes wait while the main process mines negatives or runs a teacher, which can take hours.
_TIMEOUT = timedelta(days=2)


def is_main_process() -> bool:
    """Returns True in the process that writes files and prints."""
    return bool(_state().is_main_process)


def wait_for_all_processes() -> None:
    """Blocks until every process has called this function."""
    _state().wait_for_everyone()


@contextmanager
def main_process_first() -> Iterator[None]:
    """Runs the block in the main process first, then in the others, which find its files."""
    with _state().main_process_first():
        yield


def _state() -> PartialState:
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_TIMEOUT)

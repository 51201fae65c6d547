"""Ctrl-C between two steps instead of within one: what was learned so far is kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState


class StopOnInterrupt(TrainerCallback):
    """Within it the first Ctrl-C asks for a checkpoint and an end after the step; the second one ends at once.

    `asked` says whether there was one.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> StopOnInterrupt:
        # Only the main thread may say what a signal does; elsewhere a caller ends the run in its own way.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the loop's own call
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **kwargs: Any,  # noqa: ARG002
    ) -> TrainerControl:
        """Ask the loop to save and to stop."""
        if self.asked:
            control.should_save = True
            control.should_training_stop = True
        return control

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

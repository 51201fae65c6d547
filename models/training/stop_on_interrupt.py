"""Ctrl-C between two steps: the run writes a checkpoint and stops.

transformers' own checkpoint on a signal handles SIGTERM only.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState


class StopOnInterrupt(TrainerCallback):
    """Context and callback: the first Ctrl-C stops the run after the current step, the second one immediately.

    `interrupted` is True after the first one.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._previous_handler: Any = None

    def __enter__(self) -> StopOnInterrupt:
        # Python accepts signal handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer's signature
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **kwargs: Any,  # noqa: ARG002
    ) -> TrainerControl:
        """Requests a checkpoint and the end of the run after an interrupt."""
        if self.interrupted:
            control.should_save = True
            control.should_training_stop = True
        return control

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        self._restore()

    def _restore(self) -> None:
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
            self._previous_handler = None

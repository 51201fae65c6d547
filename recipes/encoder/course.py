"""Training loop with checkpoints: an interrupted run resumes at its last checkpoint."""

from __future__ import annotations

import json
import math
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Losses = Mapping[str, Tensor]
"""The parts of a step's loss by name; their sum is minimised."""
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Options:
    """Options of a course. *decay_from*: the step at which the rate starts to fall to 0 at *steps*."""

    steps: int
    rate: float = 4e-5
    warm_up: int = 20
    decay_from: int | None = None
    weight_decay: float = 0.01
    mean_over: float = 50.0
    save_minutes: float = 8.0
    minutes: float = math.inf
    seed: int = 42

    def factor(self, step: int) -> float:
        """Returns the fraction of the rate at *step*."""
        rise = min(1.0, (step + 1) / self.warm_up)
        start = self.steps if self.decay_from is None else self.decay_from
        fall = 1.0 if step < start else max(0.0, (self.steps - step) / max(1, self.steps - start))
        return rise * fall


class Course:
    """Model, optimizer, and the running mean of the weights. State lives in *folder*."""

    def __init__(self, model: nn.Module, options: Options, folder: Path, *, settings: Mapping[str, object]) -> None:
        self._model = model
        self._options = options
        self._folder = folder
        self._settings = dict(settings)
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        kinds = {
            True: [weight for weight in trained.values() if weight.ndim > 1],
            False: [weight for weight in trained.values() if weight.ndim == 1],
        }
        groups = [{"params": own, "weight_decay": options.weight_decay * decays} for decays, own in kinds.items()]
        self._optimizer = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98), eps=1e-8)
        self._trained = trained
        self._mean = {name: weight.detach().clone() for name, weight in trained.items()}
        self.step = 0
        self._resume()

    def run(self, losses: Callable[[int], tuple[Losses, int]]) -> None:
        """Takes the remaining steps. *losses* returns a step's losses and its number of tokens."""
        self._model.train()
        self._folder.mkdir(parents=True, exist_ok=True)
        started = saved = time.monotonic()
        with _stopping() as stop, (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            while self.step < self._options.steps and not stop:
                begun = time.monotonic()
                parts, tokens = losses(self.step)
                self._update(sum(parts.values(), start=torch.zeros(())))
                seconds = time.monotonic() - begun
                values = {name: round(float(value.detach()), 4) for name, value in parts.items()}
                row = {"step": self.step, **values, "tokens": tokens, "seconds": round(seconds, 1)}
                log.write(json.dumps(row) + "\n")
                log.flush()
                self.step += 1
                if time.monotonic() - saved > 60 * self._options.save_minutes:
                    self.save()
                    saved = time.monotonic()
                if time.monotonic() - started > 60 * self._options.minutes:
                    break
        self.save()

    def _update(self, loss: Tensor) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.rate * self._options.factor(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained.values(), 1.0)
        self._optimizer.step()
        # Early on, a long mean would mostly hold the weights before training.
        part = 1 / min(self._options.mean_over, self.step + 1)
        with torch.no_grad():
            for name, weight in self._trained.items():
                self._mean[name].lerp_(weight, part)

    def save(self) -> None:
        """Writes the checkpoint: complete, or not at all."""
        state = {
            "step": self.step,
            "settings": self._settings,
            "model": self._model.state_dict(),
            "mean": self._mean,
            "optimizer": self._optimizer.state_dict(),
        }
        part = self._folder / f"{_CHECKPOINT}.part"
        torch.save(state, part)
        part.replace(self._folder / _CHECKPOINT)
        print(f"saved step={self.step}", flush=True)

    def _resume(self) -> None:
        path = self._folder / _CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.step = int(state["step"])
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for name, weight in state["mean"].items():
                self._mean[name].copy_(weight)
        print(f"resumed step={self.step}", flush=True)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Returns a course's last checkpoint."""
    return dict(torch.load(folder / _CHECKPOINT, map_location="cpu", weights_only=True))


def order(step: int, count: int, *, seed: int) -> int:
    """Returns the batch of a step: the planned order first, then another order in each epoch."""
    epoch, place = divmod(step, count)
    if epoch == 0:
        return place
    places = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(places)
    return places[place]


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """Collects the signals that ask to stop, so that the step in progress ends and is saved."""
    received: list[int] = []
    old = {number: signal.signal(number, lambda n, _: received.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)

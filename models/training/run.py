"""A training run: resumes from its checkpoints and ends with the best weights."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState

from rerank.core.errors import TrainingFailed
from rerank.models.runtimes.torch.transformers_output import silence_transformers
from rerank.models.training.checkpoints import last_checkpoint
from rerank.models.training.data.length_grouped_sampler import IndexDataset
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.options import ReportProgress, RunOptions
from rerank.models.training.precision import supports_bfloat16
from rerank.models.training.stop_on_interrupt import StopOnInterrupt

# torch raises a plain RuntimeError if a checkpoint file cannot be written or read.
_FILE_ERROR = re.compile(r"PytorchStream(Writer|Reader)|inline_container|failed writing|unexpected pos")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Hyperparameters of a run. `metric`: key of the evaluation's result; higher is better."""

    checkpoints: Path
    epochs: float
    max_steps: int | None
    batch_size: int
    learning_rate: float
    seed: int
    warmup: float
    evaluate_every: int
    metric: str
    keep_checkpoints: int
    on_progress: ReportProgress | None

    @classmethod
    def of(cls, options: RunOptions, *, checkpoints: Path, metric: str) -> Self:
        """Returns the settings in *options*."""
        return cls(
            checkpoints=checkpoints,
            epochs=options.epochs,
            max_steps=options.max_steps,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            warmup=options.warmup,
            evaluate_every=options.evaluate_every,
            metric=metric,
            keep_checkpoints=options.keep_checkpoints,
            on_progress=options.on_progress,
        )


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Number of examples, the sampler of their indices, and the collator that makes a batch of indices."""

    size: int
    sampler: Sampler[int]
    collate: Callable[[Sequence[int]], dict[str, Tensor]]


@dataclass(frozen=True)
class RunOutcome:
    """Number of steps, the step of the module's final weights, and the log: one entry per logging or evaluation."""

    steps: int
    best_step: int
    log: Sequence[Mapping[str, float]]


class TrainingRun(Trainer):
    """transformers' Trainer with our batches, our evaluation and our parameter groups.

    The module returns its own loss for a batch. `evaluation` computes the metrics of the current weights.
    """

    def __init__(
        self,
        module: TrainableModule,
        settings: RunSettings,
        *,
        training_set: TrainingSet,
        evaluation: Callable[[], Mapping[str, float]],
    ) -> None:
        self._module = module
        self._training_set = training_set
        self._evaluation = evaluation
        self._settings = settings
        self._stop_on_interrupt = StopOnInterrupt()
        indices = IndexDataset(training_set.size)
        super().__init__(
            model=module,
            args=_arguments(settings),
            train_dataset=indices,
            # The Trainer requires an evaluation dataset; `evaluate` uses its own data.
            eval_dataset=indices,
            data_collator=training_set.collate,
            callbacks=[_Progress(settings.on_progress), self._stop_on_interrupt],
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)

    def run(self) -> RunOutcome:
        """Trains from the last checkpoint, if any, to the end, and loads the best weights.

        Raises TrainingFailed if the loss is not finite or a checkpoint cannot be written, KeyboardInterrupt after
        Ctrl-C. The last checkpoint remains.
        """
        try:
            with silence_transformers(), self._stop_on_interrupt:
                checkpoint = last_checkpoint(self._settings.checkpoints)
                self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        except (OSError, SafetensorError) as exc:
            raise self._checkpoint_failure(exc) from exc
        except RuntimeError as exc:
            if not _FILE_ERROR.search(str(exc)):
                raise
            raise self._checkpoint_failure(exc) from exc
        if self._stop_on_interrupt.interrupted:
            raise KeyboardInterrupt
        best = self.state.best_global_step or self.state.global_step
        return RunOutcome(self.state.global_step, best, self.state.log_history)

    def _checkpoint_failure(self, error: Exception) -> TrainingFailed:
        return TrainingFailed(
            f"{self._settings.checkpoints}: cannot write or read a checkpoint: {str(error).splitlines()[0]}. Earlier"
            " checkpoints remain. Free some disk space and run the same command again to resume."
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - the Trainer's signature
        return self._training_set.sampler

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:  # noqa: ARG002
        """Returns AdamW. Weight decay applies to matrices with the run's own learning rate."""
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for name, value in self._module.named_parameters():
            if value.requires_grad:
                groups.setdefault((value.ndim >= 2, self._module.rate(name)), []).append(value)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": values,
                    "lr": self._settings.learning_rate * rate,
                    "weight_decay": 0.01 if is_matrix and rate == 1.0 else 0.0,
                }
                for (is_matrix, rate), values in groups.items()
            ],
            fused=True,
        )
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002 - the Trainer's signature
    ) -> Any:
        """Returns the module's loss. Raises TrainingFailed before the step if the loss is not finite."""
        loss = model(**inputs)
        value = float(loss.detach())
        if not math.isfinite(value):
            checkpoints = self._settings.checkpoints.glob("checkpoint-*")
            last = max(checkpoints, key=lambda path: path.stat().st_mtime, default=None)
            remains = f"The last good checkpoint is {last}." if last else "No checkpoint was written."
            raise TrainingFailed(
                f"The loss must be finite, got {value} at step {self.state.global_step + 1}. {remains} Try a lower"
                " --learning-rate with another --output."
            )
        return (loss, None) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Returns the evaluation's metrics with the `eval_` prefix that the Trainer expects."""
        self._module.eval()
        metrics = {f"eval_{name}": value for name, value in self._evaluation().items()}
        self._module.train()
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Progress(TrainerCallback):
    """Callback that reports step and loss."""

    def __init__(self, report: ReportProgress | None) -> None:
        self._report = report

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer's signature
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,
    ) -> None:
        loss = kwargs.get("logs", {}).get("loss")
        if self._report and loss is not None and state.is_world_process_zero:
            self._report(state.global_step, state.max_steps, float(loss))


def _arguments(settings: RunSettings) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(settings.checkpoints),
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,
        use_cpu=not torch.cuda.is_available(),
        bf16=supports_bfloat16(),
        seed=settings.seed,
        eval_strategy="steps",
        eval_steps=settings.evaluate_every,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        save_total_limit=settings.keep_checkpoints,
        load_best_model_at_end=True,
        metric_for_best_model=settings.metric,
        greater_is_better=True,
        logging_steps=min(10, settings.evaluate_every),
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=False,
        max_grad_norm=1.0,
    )

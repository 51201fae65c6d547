"""One training run: a module that answers its own loss, checkpoints to go on from, the best weights kept."""

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
from rerank.models.runtimes.torch.quiet import quiet
from rerank.models.training.checkpoints import last_checkpoint
from rerank.models.training.data.length_grouped_sampler import IndexDataset
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.options import ReportProgress, RunOptions
from rerank.models.training.precision import supports_bfloat16
from rerank.models.training.stop_on_interrupt import StopOnInterrupt

_OF_A_FILE = re.compile(r"PytorchStream(Writer|Reader)|inline_container|failed writing|unexpected pos")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How long, how fast, and where. `metric` is a key of what the evaluation answers; higher is better."""

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
        """The settings that *options* hold."""
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
    """What is learned from: how many, in which order, put together how."""

    count: int
    order: Sampler[int]
    batch: Callable[[Sequence[int]], dict[str, Tensor]]


@dataclass(frozen=True)
class RunOutcome:
    """Steps done, the step whose weights the module now has, and the log: one entry a logging or evaluation."""

    steps: int
    best_step: int
    log: Sequence[Mapping[str, float]]


class TrainingRun(Trainer):
    """transformers' loop over our own batches, our evaluation, and our optimiser's groups.

    The module answers its own loss for a batch; `evaluation` measures it as it is, set to evaluate.
    """

    def __init__(
        self,
        module: TrainableModule,
        settings: RunSettings,
        *,
        examples: TrainingSet,
        evaluation: Callable[[], Mapping[str, float]],
    ) -> None:
        self._module = module
        self._examples = examples
        self._evaluation = evaluation
        self._settings = settings
        self._interrupt = StopOnInterrupt()
        places = IndexDataset(examples.count)
        super().__init__(
            model=module,
            args=_arguments(settings),
            train_dataset=places,
            # Asked for by the loop; what is measured is the evaluation's own.
            eval_dataset=places,
            data_collator=examples.batch,
            callbacks=[_Progress(settings.on_progress), self._interrupt],
        )
        for talkative in (PrinterCallback, ProgressCallback):
            self.remove_callback(talkative)

    def run(self) -> RunOutcome:
        """Train from the last checkpoint, if there is one, to the end, and take the best weights.

        Raises TrainingFailed when the loss is no number or the disk refuses, and KeyboardInterrupt after Ctrl-C; the
        last checkpoint stays.
        """
        try:
            with quiet(), self._interrupt:
                last = last_checkpoint(self._settings.checkpoints)
                self.train(resume_from_checkpoint=None if last is None else str(last))
        except (OSError, SafetensorError) as exc:
            raise self._not_kept(exc) from exc
        except RuntimeError as exc:
            # How torch says that a file could not be written or read; any other failure is none of the disk's.
            if not _OF_A_FILE.search(str(exc)):
                raise
            raise self._not_kept(exc) from exc
        if self._interrupt.asked:
            raise KeyboardInterrupt
        best = self.state.best_global_step or self.state.global_step
        return RunOutcome(self.state.global_step, best, self.state.log_history)

    def _not_kept(self, error: Exception) -> TrainingFailed:
        return TrainingFailed(
            f"{self._settings.checkpoints}: a checkpoint could not be kept or read: {str(error).splitlines()[0]}; the"
            " checkpoints before it stay: make room, and the same command goes on"
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - the loop's own call
        return self._examples.order

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:  # noqa: ARG002
        """AdamW; values that decay are matrices that move at the run's own rate."""
        rate = self._settings.learning_rate
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for name, value in self._module.named_parameters():
            if value.requires_grad:
                groups.setdefault((value.ndim >= 2, self._module.rate(name)), []).append(value)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": values,
                    "lr": rate * faster,
                    "weight_decay": 0.01 if matrices and faster == 1.0 else 0.0,
                }
                for (matrices, faster), values in groups.items()
            ],
            fused=True,
        )
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002 - the loop's own call
    ) -> Any:
        """The module's own loss. Raises TrainingFailed where it is no number: the weights are still the last good."""
        loss = model(**inputs)
        value = float(loss.detach())
        if not math.isfinite(value):
            written = self._settings.checkpoints.glob("checkpoint-*")
            last = max(written, key=lambda path: path.stat().st_mtime, default=None)
            kept = f"the last good checkpoint is in {last}" if last else "no checkpoint had been written yet"
            raise TrainingFailed(
                f"the loss was {value} at step {self.state.global_step + 1}; {kept}; try a lower learning rate, in"
                " another --output"
            )
        return (loss, None) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Our measure, under the names that the loop looks for."""
        self._module.eval()
        metrics = {f"eval_{name}": value for name, value in self._evaluation().items()}
        self._module.train()
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Progress(TrainerCallback):
    def __init__(self, report: ReportProgress | None) -> None:
        self._report = report

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the loop's own call
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

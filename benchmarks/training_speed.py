"""Speed of training relative to a bare PyTorch loop with the same model, pairs and precision.

    python -m benchmarks.training_speed [--data FOLDER] [--steps 60] [--batch-size 16] [--threads 2] [--rounds 4]

Both train on the STS benchmark with the same batches: forward, backward, gradient clipping, AdamW, decreasing learning
rate. The first ten steps of each turn, and the start and end of a run, are not timed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from rerank.models.runtimes.torch.transformers_output import silence_transformers
from rerank.models.training.base_reranker import open_base_reranker
from rerank.models.training.data.length_grouped_sampler import IndexDataset, LengthGroupedSampler
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.sentence_pairs import read_sentence_pairs
from rerank.models.training.losses.ranking import LossOptions, RankingModule
from rerank.models.training.options import StsOptions
from rerank.models.training.precision import autocast
from rerank.models.training.recipes.sts import both_orders, tokenize_pairs
from rerank.models.training.run import RunSettings, TrainingRun, TrainingSet

WARM_UP = 10
RATE = 2e-5


def main() -> None:
    """Prints both rates and their ratio."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    options = StsOptions(
        data=(arguments.data,),
        output=Path(),
        max_steps=arguments.steps,
        batch_size=arguments.batch_size,
        evaluate_every=10 * arguments.steps,
    )
    base = open_base_reranker(None, student="cross-encoder")
    pairs = both_orders(read_sentence_pairs(options.data, language="it"), options)
    tokenized = tokenize_pairs(pairs, base, max_tokens=options.max_tokens)
    start = RankingModule(base.scorer, LossOptions("pointwise", teacher_weight=0.0)).train()
    rounds = [
        (ours(deepcopy(start), tokenized, options), bare(deepcopy(start), tokenized, options))
        for _ in range(arguments.rounds)
    ]
    timed = (arguments.steps - WARM_UP) * arguments.batch_size
    ratios = [theirs_took / ours_took for ours_took, theirs_took in rounds]
    print(
        f"{timed} pairs per turn: ours {timed / statistics.median(took for took, _ in rounds):.1f} pairs/s, bare"
        f" {timed / statistics.median(took for _, took in rounds):.1f}; ratio {statistics.median(ratios):.2f}"
        f" (rounds {min(ratios):.2f} to {max(ratios):.2f})"
    )


def ours(module: RankingModule, pairs: ListBatches, options: StsOptions) -> float:
    """Returns the seconds of a run from step WARM_UP to the last."""
    step_times: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        settings = RunSettings(
            checkpoints=Path(temporary),
            epochs=1.0,
            max_steps=options.max_steps,
            batch_size=options.batch_size,
            learning_rate=RATE,
            seed=options.seed,
            warmup=options.warmup,
            evaluate_every=options.evaluate_every,
            metric="none",
            keep_checkpoints=1,
            on_progress=lambda step, _steps, _loss: step_times.setdefault(step, time.perf_counter()),  # type: ignore[arg-type]
        )
        training_set = TrainingSet(size=len(pairs.lengths), sampler=_sampler(pairs, options), collate=pairs.batch)
        TrainingRun(module, settings, training_set=training_set, evaluation=lambda: {"none": 0.0}).run()
    return step_times[options.max_steps or 0] - step_times[WARM_UP]


def bare(module: RankingModule, pairs: ListBatches, options: StsOptions) -> float:
    """Returns the seconds of a plain loop from step WARM_UP to the last."""
    steps = options.max_steps or 0
    loader = DataLoader(
        IndexDataset(len(pairs.lengths)),
        batch_size=options.batch_size,
        sampler=_sampler(pairs, options),
        collate_fn=pairs.batch,
        drop_last=True,
    )
    optimiser = torch.optim.AdamW(module.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    started = 0.0
    with silence_transformers():
        for step, batch in zip(range(1, steps + 1), loader, strict=False):
            with autocast():
                loss = module(**batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            if step == WARM_UP:
                started = time.perf_counter()
    return time.perf_counter() - started


def _sampler(pairs: ListBatches, options: StsOptions) -> LengthGroupedSampler:
    return LengthGroupedSampler(pairs.lengths, batch_size=options.batch_size, seed=options.seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/stsb_it_en"), help="the STS benchmark")
    parser.add_argument("--steps", type=int, default=60, help="a multiple of 10")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()

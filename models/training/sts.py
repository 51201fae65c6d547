"""`train sts`: a similarity model from scored sentence pairs, the symmetric recipe."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from transformers import set_seed

from core.errors import TrainingDataError
from models.catalog import DEFAULT, resolve
from models.folder import ModelFolder
from models.runtimes.quiet import quiet
from models.training.base import open_cross_encoder, open_tokenizer
from models.training.card import Card
from models.training.correlation import pearson, spearman
from models.training.length_groups import LengthGroups
from models.training.options import StsOptions
from models.training.outcome import write_outcome
from models.training.pair_model import PairBatches, PairModel
from models.training.report import TrainingReport
from models.training.run import Examples, RunSettings, TrainingRun
from models.training.run_folder import RunFolder, run_key
from models.training.sentences import SentenceData, SentencePair, read_sentence_data

METRIC = "spearman"
_USE = (
    "A similarity model: the sigmoid of its logit says how alike two sentences are, from 0 to 1. Trained on every pair"
    " in both orders. It judges likeness, not whether a passage answers a query."
)


def train_sts(options: StsOptions) -> TrainingReport:
    """Train a similarity model and leave it in `options.output`; its metrics are those on the test part.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = time.monotonic()
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    data = read_sentence_data(options.data, language=options.language)
    base = resolve(DEFAULT if options.base is None else str(options.base), role="encoder")
    folder = RunFolder(options.output, run_key("sts", options, data=data.digests, base=base.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    tokenizer = open_tokenizer(base)
    max_tokens = min(options.max_tokens, base.max_tokens)
    train, dev, test = (
        PairBatches(part, tokenizer, max_tokens=max_tokens)
        for part in (both_orders(data, options), data.dev, data.test)
    )
    module = PairModel(open_cross_encoder(base, new_head=True))
    before = correlations(module, test)
    order = LengthGroups(train.lengths, batch_size=options.batch_size, seed=options.seed)
    outcome = TrainingRun(
        module,
        RunSettings.of(options, checkpoints=folder.checkpoints, metric=METRIC),
        examples=Examples(count=len(train.lengths), order=order, batch=train.batch),
        evaluation=lambda: correlations(module, dev),
    ).run()
    report = TrainingReport(
        model=options.output,
        metrics=correlations(module, test),
        before=before,
        steps=outcome.steps,
        best_step=outcome.best_step,
        seconds=time.monotonic() - started,
    )

    def save(path: Path) -> None:
        with quiet():
            module.cross.save_pretrained(path)
            tokenizer.save_pretrained(path)

    write_outcome(folder, report, outcome, save=save, card=_card(base, folder, options), metric=METRIC)
    return report


def both_orders(data: SentenceData, options: StsOptions) -> list[SentencePair]:
    """Every pair of the train part, and every pair turned round: a likeness has no direction.

    Raises TrainingDataError where they do not fill a batch.
    """
    pairs = [*data.train, *(pair.turned for pair in data.train)]
    if len(pairs) < options.batch_size:
        raise TrainingDataError(
            f"{len(data.train)} pairs make {len(pairs)} rows in both orders, fewer than a batch of"
            f" {options.batch_size}: lower --batch-size, or bring more pairs"
        )
    return pairs


def correlations(module: PairModel, pairs: PairBatches) -> dict[str, float]:
    """Pearson's (of the sigmoids) and Spearman's correlation with the true scores."""
    module.eval()
    logits = module.scores(pairs)
    said = torch.sigmoid(torch.from_numpy(logits)).numpy()
    return {"pearson": pearson(said, pairs.labels), METRIC: spearman(logits, pairs.labels)}


def _card(base: ModelFolder, folder: RunFolder, options: StsOptions) -> Card:
    return Card(
        title="A similarity cross-encoder",
        kind="similarity",
        architecture="cross-encoder",
        base=base.name,
        max_tokens=base.max_tokens,
        languages=("it", "en") if options.language == "both" else (options.language,),
        run=folder.run,
        use=_USE,
    )

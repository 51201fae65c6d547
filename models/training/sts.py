"""`train sts`: a similarity model from scored sentence pairs, the symmetric recipe."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.errors import TrainingDataError
from models.catalog import DEFAULT, resolve
from models.folder import ModelFolder
from models.training.base import open_cross_encoder, open_tokenizer, save_cross_encoder
from models.training.card import Card
from models.training.correlation import pearson, spearman
from models.training.hub_data import HUB, local_data
from models.training.length_groups import LengthGroups
from models.training.options import StsOptions
from models.training.pair_model import PairBatches, PairModel
from models.training.recipe import Course, begin, conduct
from models.training.report import TrainingReport
from models.training.run import Examples
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
    started = begin(options)
    options = replace(
        options,
        data=local_data(options.data, layout="sentences", folder=options.output / HUB, language=options.language),
    )
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
    order = LengthGroups(train.lengths, batch_size=options.batch_size, seed=options.seed)
    course = Course(
        module=module,
        examples=Examples(count=len(train.lengths), order=order, batch=train.batch),
        evaluation=lambda: correlations(module, dev),
        measure=lambda: correlations(module, test),
        metric=METRIC,
        save=lambda path: save_cross_encoder(module.cross, tokenizer, path),
        card=_card(base, folder, options),
    )
    return conduct(options, folder, course, started=started)


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
    logits = module.scores(pairs)[:, 0]
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

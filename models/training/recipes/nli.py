"""`train nli`: a classifier of whether a premise entails a hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import ModelFolder
from rerank.models.training.data.entailment_pairs import EntailmentData, read_entailments
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.pair_batches import PairBatches
from rerank.models.training.losses.classification import ClassificationModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import NliOptions
from rerank.models.training.pretrained import open_cross_encoder, open_tokenizer, save_pretrained
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_parameters
from rerank.models.training.task import TrainingTask, prepare_process, train_and_save

METRIC = "macro_f1"
_USE = (
    "A classifier: the softmax of its logits gives the probability of each label for a premise and a hypothesis, in"
    " this order. It judges entailment, not whether a passage answers a query."
)


def train_nli(options: NliOptions) -> TrainingReport:
    """Trains a classifier and writes it to `options.output`. The report has the metrics of the test part.

    Resumes an interrupted run, and returns the report of a finished one. Raises TrainingDataError for unusable data,
    ModelInvalid or ModelNotFound for the base model, TrainingFailed if the run cannot continue, KeyboardInterrupt after
    Ctrl-C (the checkpoint remains).
    """
    started = prepare_process(options)
    hub_folder = options.output / HUB_FOLDER
    options = replace(options, data=resolve_datasets(options.data, layout="entailments", folder=hub_folder))
    data = read_entailments(options)
    if len(data.train) < options.batch_size:
        raise TrainingDataError(
            f"The training part has {len(data.train)} pairs, fewer than a batch of {options.batch_size}. Lower"
            " --batch-size or add pairs."
        )
    base = resolve(DEFAULT if options.base is None else str(options.base), role="encoder")
    _check_label_order(base, data.labels)
    folder = RunFolder(options.output, run_parameters("nli", options, data=data.digests, base=base.fingerprint))
    report = folder.finished_report()
    if report is not None:
        return report
    return train_and_save(options, folder, _task(data, base, options, folder), started=started)


def class_metrics(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """Returns `accuracy`, and `macro_f1`: the mean F1 of the classes.

    logits (n, classes), labels (n,). The F1 of a class that is neither predicted nor true is 0.
    """
    predicted = logits.argmax(1)
    f1_scores = []
    for label in range(logits.shape[1]):
        both = int(((predicted == label) & (labels == label)).sum())
        total = int((predicted == label).sum() + (labels == label).sum())
        f1_scores.append(2 * both / total if total else 0.0)
    return {"accuracy": float((predicted == labels).mean()), METRIC: float(np.mean(f1_scores))}


def _task(data: EntailmentData, base: ModelFolder, options: NliOptions, folder: RunFolder) -> TrainingTask:
    tokenizer = open_tokenizer(base)
    max_tokens = min(options.max_tokens, base.max_tokens)
    train, dev, test = (
        PairBatches(part, tokenizer, max_tokens=max_tokens) for part in (data.train, data.dev, data.test)
    )
    module = ClassificationModule(open_cross_encoder(base, new_head=True, labels=len(data.labels)))
    module.cross.config.id2label = dict(enumerate(data.labels))
    module.cross.config.label2id = {label: number for number, label in enumerate(data.labels)}
    return TrainingTask(
        module=module,
        training_set=TrainingSet(
            size=len(train.lengths),
            sampler=LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed),
            collate=train.batch,
        ),
        evaluation=lambda: _metrics(module, dev),
        final_evaluation=lambda: _metrics(module, test),
        metric=METRIC,
        save=lambda path: save_pretrained(module.cross, tokenizer, path),
        card=_card(base, folder, options),
    )


def _metrics(module: ClassificationModule, pairs: PairBatches) -> dict[str, float]:
    return class_metrics(module.logits(pairs), pairs.labels.astype(np.int64))


def _check_label_order(base: ModelFolder, labels: Sequence[str]) -> None:
    """Raises ModelInvalid if *base* has the same labels in another order: its head would predict the wrong ones."""
    names = base.config.get("id2label")
    if base.kind == "encoder" or not isinstance(names, dict) or len(names) != len(labels):
        return
    found = [str(names[key]).lower() for key in sorted(names, key=int)]
    if set(found) == set(labels) and found != list(labels):
        raise ModelInvalid(
            f"{base.path}: the labels must be {', '.join(labels)}, in this order, got {', '.join(found)}."
        )


def _card(base: ModelFolder, folder: RunFolder, options: NliOptions) -> ModelCard:
    return ModelCard(
        title="An entailment classifier",
        kind="classifier",
        architecture="cross-encoder",
        base=base.name,
        max_tokens=base.max_tokens,
        languages=() if options.language == "both" else (options.language,),
        run=folder.run,
        use=_USE,
    )

"""`train nli`: a classifier that says whether a hypothesis follows from a premise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.folder import ModelFolder
from rerank.models.training.base_reranker import open_cross_encoder, open_tokenizer, save_cross_encoder
from rerank.models.training.data.entailment_pairs import EntailmentData, read_entailments
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.pair_batches import ClassificationModule, PairBatches
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import NliOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_key
from rerank.models.training.task import TrainingTask, begin, train_and_save

METRIC = "macro_f1"
_USE = (
    "A classifier: the softmax of its logits gives the probability of each label, for a premise and a hypothesis in"
    " this order. It judges what follows, not whether a passage answers a query."
)


def train_nli(options: NliOptions) -> TrainingReport:
    """Train a classifier and leave it in `options.output`; its metrics are those on the test part.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = begin(options)
    options = replace(
        options, data=resolve_datasets(options.data, layout="entailments", folder=options.output / HUB_FOLDER)
    )
    data = read_entailments(options)
    if len(data.train) < options.batch_size:
        raise TrainingDataError(
            f"{len(data.train)} pairs are left to learn from, fewer than a batch of {options.batch_size}: lower"
            " --batch-size, or bring more pairs"
        )
    base = resolve(DEFAULT if options.base is None else str(options.base), role="encoder")
    _check_labels(base, data.labels)
    folder = RunFolder(options.output, run_key("nli", options, data=data.digests, base=base.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    return train_and_save(options, folder, _course(data, base, options, folder), started=started)


def class_scores(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """`accuracy`, and `macro_f1`: the mean over the classes of the harmonic mean of precision and recall.

    logits (n, classes), labels (n,). A class that is neither said nor true counts 0.
    """
    said = logits.argmax(1)
    scores = []
    for label in range(logits.shape[1]):
        right = int(((said == label) & (labels == label)).sum())
        either = int((said == label).sum() + (labels == label).sum())
        scores.append(2 * right / either if either else 0.0)
    return {"accuracy": float((said == labels).mean()), METRIC: float(np.mean(scores))}


def _course(data: EntailmentData, base: ModelFolder, options: NliOptions, folder: RunFolder) -> TrainingTask:
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
        examples=TrainingSet(
            count=len(train.lengths),
            order=LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed),
            batch=train.batch,
        ),
        evaluation=lambda: _scores(module, dev),
        measure=lambda: _scores(module, test),
        metric=METRIC,
        save=lambda path: save_cross_encoder(module.cross, tokenizer, path),
        card=_card(base, folder, options),
    )


def _scores(module: ClassificationModule, pairs: PairBatches) -> dict[str, float]:
    return class_scores(module.scores(pairs), pairs.labels.astype(np.int64))


def _check_labels(base: ModelFolder, labels: Sequence[str]) -> None:
    """A classifier whose labels stand in another order would begin by saying the wrong ones."""
    names = base.config.get("id2label")
    if base.kind == "encoder" or not isinstance(names, dict) or len(names) != len(labels):
        return
    said = [str(names[key]).lower() for key in sorted(names, key=int)]
    if set(said) == set(labels) and said != list(labels):
        raise ModelInvalid(
            f"{base.path} answers {', '.join(said)}, in this order; training starts from {', '.join(labels)}"
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

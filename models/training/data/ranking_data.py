"""Judgments for `train pairs`, read from files of JSON lines and from BEIR folders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rerank.core.errors import CorpusError, TrainingDataError
from rerank.core.judgments import Dataset, load_dataset
from rerank.models.training.data.json_lines import digest, get_number, get_text, read_json_lines
from rerank.models.training.data.ranking_lists import LabelledQuery, RankingList, TrainingData, joined

CORPUS_FILES = ("corpus.jsonl", "corpus.jsonl.gz")
_TRAIN = "train"


def read_training_data(paths: Sequence[Path], *, negatives_needed: bool = True, pool: bool = True) -> TrainingData:
    """Everything in *paths*: files of {"query", "passage", "label"}, of {"query", "positive", "negatives"} or of
    {"query", "positive"}, and BEIR folders (split `train` where there is one).

    Without *pool* only judged passages of a corpus are kept, however large it is.

    Raises TrainingDataError, with file and line, for what cannot be read, for one query only, and, where
    *negatives_needed*, for labels that are all the same.
    """
    data = joined([_folder(path, pool) if path.is_dir() else _file(path, negatives_needed) for path in paths])
    if data.queries < 2:
        raise TrainingDataError(
            f"{', '.join(map(str, paths))}: {data.queries} judged queries; at least 2 are needed, one of them to"
            " measure on"
        )
    return data


def read_queries(paths: Sequence[Path]) -> tuple[list[str], dict[str, str]]:
    """Every different query in *paths*, files of lines with a "query" or BEIR folders, and the files' SHA-256.

    Raises TrainingDataError, with file and line, for what cannot be read, and where there is none.
    """
    queries: dict[str, None] = {}
    digests: dict[str, str] = {}
    for path in paths:
        names = ("queries.jsonl", "queries.jsonl.gz")
        file = next((path / name for name in names if (path / name).exists()), path)
        key = "query" if file == path else "text"
        queries.update((get_text(row, key, f"{file}:{number}"), None) for number, row in read_json_lines(file))
        digests[str(file)] = digest(file)
    if not queries:
        raise TrainingDataError(f"{', '.join(map(str, paths))}: no queries")
    return list(queries), digests


def _file(path: Path, negatives_needed: bool) -> TrainingData:
    lists: list[RankingList] = []
    labelled: dict[str, dict[str, float]] = {}
    alone = True
    for number, row in read_json_lines(path):
        place = f"{path}:{number}"
        if "scores" in row:
            lists.append(_scored(row, place))
            continue
        if "negatives" in row:
            lists.append(_list(row, place))
            continue
        query, passage, label = _labelled(row, place)
        alone = alone and "positive" in row
        passages = labelled.setdefault(query, {})
        passages[passage] = max(label, passages.get(passage, 0.0))
    if not lists and not labelled:
        raise TrainingDataError(f"{path}: empty; each line is an object with query, passage and label")
    if negatives_needed and not alone:
        _check_classes(path, labelled)
    return TrainingData(
        lists=tuple(lists),
        judged=tuple(_judged(query, labels) for query, labels in labelled.items() if any(labels.values())),
        pool=tuple(dict.fromkeys(passage for labels in labelled.values() for passage in labels)),
        digests={str(path): digest(path)},
    )


def _labelled(row: Mapping[str, object], place: str) -> tuple[str, str, float]:
    """Query, passage and label; a positive without negatives is a passage labelled 1."""
    query = get_text(row, "query", place)
    if "positive" in row:
        return query, get_text(row, "positive", place), 1.0
    return query, get_text(row, "passage", place), get_number(row, "label", place, highest=1.0)


def _list(row: Mapping[str, object], place: str) -> RankingList:
    negatives = row.get("negatives")
    if not isinstance(negatives, list) or not negatives or not all(isinstance(n, str) and n.strip() for n in negatives):
        raise TrainingDataError(f'{place}: "negatives" must be a list of at least one text')
    passages = (get_text(row, "positive", place), *negatives)
    teacher = row.get("teacher", [])
    if not isinstance(teacher, list) or len(teacher) not in (0, len(passages)):
        raise TrainingDataError(f'{place}: "teacher" must have one cosine for the positive and each negative')
    if not all(isinstance(cosine, float | int) and -1.01 <= cosine <= 1.01 for cosine in teacher):
        raise TrainingDataError(f'{place}: "teacher" must hold cosines, numbers from -1 to 1')
    label = get_number({"label": 1.0, **row}, "label", place, highest=1.0)
    cosines = tuple(map(float, teacher))
    return RankingList(get_text(row, "query", place), passages, (label, *[0.0] * len(negatives)), cosines)


def _scored(row: Mapping[str, object], place: str) -> RankingList:
    passages, scores = row.get("passages"), row.get("scores")
    if (
        not isinstance(passages, list)
        or len(passages) < 2
        or not all(isinstance(p, str) and p.strip() for p in passages)
    ):
        raise TrainingDataError(f'{place}: "passages" must be a list of at least two texts')
    if not isinstance(scores, list) or len(scores) != len(passages):
        raise TrainingDataError(f'{place}: "scores" must have one number for each passage')
    if not all(isinstance(score, float | int) and math.isfinite(score) for score in scores):
        raise TrainingDataError(f'{place}: "scores" must hold finite numbers, a teacher\'s logits')
    values = tuple(map(float, scores))
    return RankingList(get_text(row, "query", place), tuple(passages), (0.0,) * len(passages), scores=values)


def _check_classes(path: Path, labelled: Mapping[str, Mapping[str, float]]) -> None:
    labels = {label for passages in labelled.values() for label in passages.values()}
    if len(labels) == 1:
        raise TrainingDataError(
            f"{path}: every label is {labels.pop():g}; passages that are relevant and passages that are not are needed"
        )


def _judged(query: str, labels: Mapping[str, float]) -> LabelledQuery:
    relevant = {passage: label for passage, label in labels.items() if label > 0}
    return LabelledQuery(query, relevant, tuple(passage for passage, label in labels.items() if label == 0))


def _folder(path: Path, pool: bool) -> TrainingData:
    corpus_file = next((file for name in CORPUS_FILES if (file := path / name).exists()), None)
    if corpus_file is None:
        raise TrainingDataError(f"{path}: no corpus.jsonl; a folder of training data is a BEIR folder")
    dataset = _dataset(path)
    needed = {doc_id for query in dataset.queries for doc_id in query.relevance}
    corpus = {}
    for number, row in read_json_lines(corpus_file):
        title, text = row.get("title") or "", row.get("text") or ""
        passage = f"{title} {text}".strip()
        if passage and (pool or str(row.get("_id", number)) in needed):
            corpus[str(row.get("_id", number))] = passage
    judged = [_in_corpus(query.text, query.relevance, corpus) for query in dataset.queries]
    found = tuple(one for one in judged if one.relevant)
    if not found:
        raise TrainingDataError(f"{path}: no relevant document of {dataset.split} is in {corpus_file.name}")
    files = [corpus_file, *sorted(path.glob("queries.jsonl*")), *sorted(path.glob(f"qrels/{dataset.split}.tsv*"))]
    return TrainingData(
        judged=found, pool=tuple(dict.fromkeys(corpus.values())), digests={str(file): digest(file) for file in files}
    )


def _dataset(path: Path) -> Dataset:
    trains = any((path / "qrels").glob(f"{_TRAIN}.tsv*"))
    try:
        return load_dataset(path, _TRAIN if trains else None)
    except CorpusError as exc:
        raise TrainingDataError(exc.message) from exc


def _in_corpus(query: str, relevance: Mapping[str, int], corpus: Mapping[str, str]) -> LabelledQuery:
    highest = max(relevance.values())
    here = {doc_id: grade for doc_id, grade in relevance.items() if doc_id in corpus}
    relevant = {corpus[doc_id]: grade / highest for doc_id, grade in here.items() if grade > 0}
    others = dict.fromkeys(corpus[doc_id] for doc_id, grade in here.items() if grade <= 0)
    return LabelledQuery(query, relevant, tuple(text for text in others if text not in relevant))

"""Reading of ranking data from JSON Lines files and BEIR folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rerank.core.errors import CorpusError, TrainingDataError
from rerank.core.judgments import Dataset, load_dataset
from rerank.models.training.data.json_lines import file_sha256, get_text, read_json_lines
from rerank.models.training.data.ranking_lists import LabelledQuery, RankingList, TrainingData, merge
from rerank.models.training.data.row_formats import parse_row, query_of

CORPUS_FILES = ("corpus.jsonl", "corpus.jsonl.gz")
_TRAIN = "train"


def read_training_data(paths: Sequence[Path], *, negatives_needed: bool = True, pool: bool = True) -> TrainingData:
    """Returns the content of *paths*: JSON Lines files in the formats of row_formats, and BEIR folders.

    A BEIR folder's split `train` is read, or its only one. Without *pool*, only the labelled passages of a corpus are
    kept in memory. Raises TrainingDataError, with file and line, if the data is invalid, has fewer than 2 queries, or,
    with *negatives_needed*, if all labels of a file are equal.
    """
    data = merge([_read_folder(path, pool) if path.is_dir() else _read_file(path, negatives_needed) for path in paths])
    if data.query_count < 2:
        raise TrainingDataError(
            f"{', '.join(map(str, paths))}: training needs at least 2 queries, one of them for evaluation, got"
            f" {data.query_count}."
        )
    return data


def read_queries(paths: Sequence[Path]) -> tuple[list[str], dict[str, str]]:
    """Returns the different queries in *paths*, and the SHA-256 of each file.

    A path is a JSON Lines file whose lines have a "query" or "anchor", or a BEIR folder. Raises TrainingDataError,
    with file and line, if a path cannot be read or there is no query.
    """
    queries: dict[str, None] = {}
    digests: dict[str, str] = {}
    for path in paths:
        names = ("queries.jsonl", "queries.jsonl.gz")
        file = next((path / name for name in names if (path / name).exists()), path)
        for number, row in read_json_lines(file):
            location = f"{file}:{number}"
            queries[query_of(row, location) if file == path else get_text(row, "text", location)] = None
        digests[str(file)] = file_sha256(file)
    if not queries:
        raise TrainingDataError(f"{', '.join(map(str, paths))}: the files have no queries.")
    return list(queries), digests


def _read_file(path: Path, negatives_needed: bool) -> TrainingData:
    lists: list[RankingList] = []
    labels_by_query: dict[str, dict[str, float]] = {}
    positive_only = True
    for number, row in read_json_lines(path):
        parsed = parse_row(row, f"{path}:{number}")
        lists.extend(parsed.lists)
        if parsed.labels is not None:
            positive_only = positive_only and parsed.positive_only
            labels = labels_by_query.setdefault(parsed.query, {})
            for passage, label in parsed.labels.items():
                labels[passage] = max(label, labels.get(passage, 0.0))
    if not lists and not labels_by_query:
        raise TrainingDataError(f"{path} is empty.")
    if negatives_needed and not positive_only:
        _check_labels_differ(path, labels_by_query)
    return TrainingData(
        lists=tuple(lists),
        labelled=tuple(_labelled(query, labels) for query, labels in labels_by_query.items() if any(labels.values())),
        pool=tuple(dict.fromkeys(passage for labels in labels_by_query.values() for passage in labels)),
        digests={str(path): file_sha256(path)},
    )


def _check_labels_differ(path: Path, labels_by_query: Mapping[str, Mapping[str, float]]) -> None:
    values = {label for labels in labels_by_query.values() for label in labels.values()}
    if len(values) == 1:
        raise TrainingDataError(
            f"{path}: every label is {values.pop():g}. Add both relevant and irrelevant passages, or remove the labels"
            ' and name the relevant ones "positive".'
        )


def _labelled(query: str, labels: Mapping[str, float]) -> LabelledQuery:
    relevant = {passage: label for passage, label in labels.items() if label > 0}
    return LabelledQuery(query, relevant, tuple(passage for passage, label in labels.items() if label == 0))


def _read_folder(path: Path, pool: bool) -> TrainingData:
    corpus_file = next((file for name in CORPUS_FILES if (file := path / name).exists()), None)
    if corpus_file is None:
        raise TrainingDataError(f"{path} must be a BEIR folder: corpus.jsonl is missing.")
    dataset = _load_dataset(path)
    needed = {doc_id for query in dataset.queries for doc_id in query.relevance}
    corpus = {}
    for number, row in read_json_lines(corpus_file):
        title, text = row.get("title") or "", row.get("text") or ""
        passage = f"{title} {text}".strip()
        if passage and (pool or str(row.get("_id", number)) in needed):
            corpus[str(row.get("_id", number))] = passage
    labelled = [_labelled_in_corpus(query.text, query.relevance, corpus) for query in dataset.queries]
    with_relevant = tuple(query for query in labelled if query.relevant)
    if not with_relevant:
        raise TrainingDataError(f"{path}: {corpus_file.name} has no relevant document of the split {dataset.split}.")
    files = [corpus_file, *sorted(path.glob("queries.jsonl*")), *sorted(path.glob(f"qrels/{dataset.split}.tsv*"))]
    return TrainingData(
        labelled=with_relevant,
        pool=tuple(dict.fromkeys(corpus.values())),
        digests={str(file): file_sha256(file) for file in files},
    )


def _load_dataset(path: Path) -> Dataset:
    has_train = any((path / "qrels").glob(f"{_TRAIN}.tsv*"))
    try:
        return load_dataset(path, _TRAIN if has_train else None)
    except CorpusError as exc:
        raise TrainingDataError(exc.message) from exc


def _labelled_in_corpus(query: str, relevance: Mapping[str, int], corpus: Mapping[str, str]) -> LabelledQuery:
    highest = max(relevance.values())
    grades = {doc_id: grade for doc_id, grade in relevance.items() if doc_id in corpus}
    relevant = {corpus[doc_id]: grade / highest for doc_id, grade in grades.items() if grade > 0}
    others = dict.fromkeys(corpus[doc_id] for doc_id, grade in grades.items() if grade <= 0)
    return LabelledQuery(query, relevant, tuple(text for text in others if text not in relevant))

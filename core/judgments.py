"""Queries with judgments from a BEIR folder: queries.jsonl and qrels/SPLIT.tsv, plain or gzip."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from rerank.core.errors import CorpusError, InvalidRequest
from rerank.core.search import check_query

DEFAULT_SPLIT = "test"


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """Query with the grade of each judged document. Grades above 0 mean relevant; at least one is above 0."""

    query_id: str
    text: str
    relevance: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Judged queries of one split, in the order of the queries file.

    judged: their number before sampling. without_relevant: number of queries left out because all grades are 0.
    without_text: number of queries left out because the queries file lacks them.
    """

    path: str
    split: str
    queries: tuple[JudgedQuery, ...]
    judged: int
    without_relevant: int = 0
    without_text: int = 0

    def sampled(self, n: int, *, seed: int = 0) -> Dataset:
        """Returns the dataset with *n* random queries in their order, or unchanged if it has at most *n*."""
        import numpy as np

        if n >= len(self.queries):
            return self
        drawn = np.random.default_rng(seed).choice(len(self.queries), size=n, replace=False)
        return replace(self, queries=tuple(self.queries[i] for i in sorted(drawn.tolist())))


def load_dataset(folder: Path, split: str | None = None) -> Dataset:
    """Returns the judged queries of *folder*.

    *split* names a file in qrels/; None selects `test`, or the only split. Raises CorpusError with file and line for
    invalid input, and if no judged query is left.
    """
    name, file = _split(folder, split)
    judgments = _read_judgments(file)
    relevant = {
        query_id: relevance
        for query_id, relevance in judgments.items()
        if any(grade > 0 for grade in relevance.values())
    }
    texts = _read_queries(_existing(folder / "queries.jsonl"), relevant)
    queries = tuple(JudgedQuery(query_id, text, relevant[query_id]) for query_id, text in texts.items())
    if not queries:
        raise CorpusError(
            f"{file}: {folder / 'queries.jsonl'} has none of the queries with relevant documents. "
            "The first column must be the _id of a query, the third column its grade"
        )
    return Dataset(
        path=str(folder),
        split=name,
        queries=queries,
        judged=len(queries),
        without_relevant=len(judgments) - len(relevant),
        without_text=len(relevant) - len(queries),
    )


def _split(folder: Path, name: str | None) -> tuple[str, Path]:
    """Returns the name and the file of the split."""
    qrels = folder / "qrels"
    files = sorted([*qrels.glob("*.tsv.gz"), *qrels.glob("*.tsv")])
    # The plain file sorts before the gzip file of the same name, and the first one wins.
    splits: dict[str, Path] = {}
    for file in files:
        splits.setdefault(file.name.removesuffix(".gz").removesuffix(".tsv"), file)
    if not splits:
        raise CorpusError(f"{qrels}: no judgments found. A BEIR folder must have queries.jsonl and qrels/SPLIT.tsv")
    names = ", ".join(splits)
    if name is None:
        if DEFAULT_SPLIT not in splits and len(splits) > 1:
            raise CorpusError(f"{qrels} has several splits and none is named test. Pass --split with one of: {names}")
        name = DEFAULT_SPLIT if DEFAULT_SPLIT in splits else next(iter(splits))
    if name not in splits:
        raise CorpusError(f'{qrels} has no split "{name}". Available splits: {names}')
    return name, splits[name]


def _existing(file: Path) -> Path:
    zipped = file.with_name(f"{file.name}.gz")
    return zipped if zipped.exists() and not file.exists() else file


def _read_judgments(file: Path) -> dict[str, dict[str, int]]:
    judgments: dict[str, dict[str, int]] = {}
    for number, line in _lines(file):
        fields = line.split("\t")
        if len(fields) != 3:
            raise CorpusError(
                f"{file}:{number}: a line must have the tab-separated columns query-id, corpus-id and score, "
                f"got {len(fields)} columns"
            )
        query_id, doc_id, score = (field.strip() for field in fields)
        grade = _grade(score)
        if grade is None:
            if number == 1:
                continue  # the header
            raise CorpusError(f'{file}:{number}: the score must be an integer, got "{score}"')
        judgments.setdefault(query_id, {})[doc_id] = grade
    return judgments


def _grade(score: str) -> int | None:
    try:
        grade = float(score)
    except ValueError:
        return None
    return int(grade) if grade.is_integer() else None


def _read_queries(file: Path, ids: Container[str]) -> dict[str, str]:
    """Returns the texts of the queries with *ids*, by id. Other queries are not validated."""
    texts: dict[str, str] = {}
    for number, line in _lines(file):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise CorpusError(f"{file}:{number}: not JSON: {exc}") from exc
        query_id = record.get("_id") if isinstance(record, dict) else None
        if isinstance(query_id, bool) or not isinstance(query_id, str | int):
            raise CorpusError(
                f'{file}:{number}: field "_id" is missing. Each line must be an object with "_id" and "text"'
            )
        if str(query_id) not in ids:
            continue
        text = record.get("text")
        if not isinstance(text, str):
            raise CorpusError(
                f'{file}:{number}: field "text" is missing. Each line must be an object with "_id" and "text"'
            )
        try:
            check_query(text, field="text")
        except InvalidRequest as exc:
            raise CorpusError(f"{file}:{number}: {exc.message}") from exc
        texts[str(query_id)] = text
    return texts


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yields the number, from 1, and the text of each line that is not blank, without its line end."""
    number = 0
    try:
        with _opened(file) as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except FileNotFoundError as exc:
        raise CorpusError(f"{file} does not exist. A BEIR folder must have queries.jsonl and qrels/SPLIT.tsv") from exc
    except UnicodeDecodeError as exc:
        raise CorpusError(f"{file}:{number + 1}: not UTF-8. Convert the file to UTF-8") from exc
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise CorpusError(f"{file}:{number + 1}: the gzip data is damaged: {exc}") from exc
    except OSError as exc:
        raise CorpusError(f"cannot read {file}: {exc.strerror}") from exc


def _opened(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="\n")
    return file.open(encoding="utf-8-sig", newline="\n")

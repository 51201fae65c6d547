"""Small search sets that no model was trained on: some judged queries, and a part of the corpus around them."""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.development_sets import is_for_development
from benchmarks.encoders import FOLDERS
from recipes.sources import read_lines, with_title
from rerank.core.judgments import JudgedQuery, load_dataset

SECTION_KINDS = frozenset({"heading", "question", "task", "title"})
CHARACTERS = 700
"""Length to which texts are cut."""


@dataclass(frozen=True)
class SearchSet:
    """Texts by document id, and judged queries."""

    corpus: Mapping[str, str]
    queries: Sequence[JudgedQuery]


def read_beir(name: str, data: Path, queries: int) -> SearchSet:
    """Returns a set of `benchmarks.encoders`, with *queries* that no model was trained on."""
    folder, split = FOLDERS[name]
    judged = [query for query in load_dataset(data / folder, split).queries if is_for_development(name, query, data)]
    random.Random(7).shuffle(judged)
    rows = read_lines(data / folder / "corpus.jsonl.gz")
    corpus = {str(row["_id"]): with_title(str(row.get("title") or ""), str(row["text"])) for row in rows}
    return SearchSet(corpus, judged[:queries])


def read_sections(language: str, data: Path, queries: int) -> SearchSet:
    """Returns headings, questions and titles as queries, among the passages of the same manuals."""
    rows = []
    for file in sorted((data / "sections").glob(f"{language}_*.jsonl.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    random.Random(11).shuffle(rows)
    answers = [row for row in rows if row["kind"] in SECTION_KINDS and row.get("part", 1) == 1][:queries]
    manuals = {row["source"] for row in answers}
    corpus = {row["id"]: row["passage"] for row in rows if row["source"] in manuals}
    return SearchSet(corpus, [JudgedQuery(row["id"], _section_query(row), {row["id"]: 1}) for row in answers])


def _section_query(row: Mapping[str, str]) -> str:
    """Returns the heading after its parent's, because a heading such as "Print" does not identify its section."""
    parent = row["context"].rpartition(" > ")[2]
    return f"{parent}: {row['query']}" if parent and row["kind"] != "question" else row["query"]


def read_nq_oracle(data: Path, queries: int) -> SearchSet:
    """Returns questions of Natural Questions, among the passages that answer them."""
    rows = list(enumerate(read_lines(data / "nq_oracle" / "pairs.jsonl.gz")))
    corpus = {str(number): with_title(str(row["title"]), str(row["passage"])) for number, row in rows}
    judged = [JudgedQuery(str(number), str(row["question"]), {str(number): 1}) for number, row in rows]
    random.Random(7).shuffle(judged)
    return SearchSet(corpus, judged[:queries])


BEIR_SETS = ("squad_it", "scifact", "cisi", "cacm", "hotpotqa_500", "vaswani_npl", "obliqa", "climate_fever")
READERS: Mapping[str, Callable[[Path, int], SearchSet]] = {
    **{name: partial(read_beir, name) for name in BEIR_SETS},
    "nq_oracle": read_nq_oracle,
    "sections_en": partial(read_sections, "en"),
    "sections_it": partial(read_sections, "it"),
}


def cut(search_set: SearchSet, documents: int) -> SearchSet:
    """Returns the set with the judged and random other documents, at most *documents* unless more are judged."""
    judged = {doc_id for query in search_set.queries for doc_id in query.relevance}
    others = [doc_id for doc_id in search_set.corpus if doc_id not in judged]
    random.Random(3).shuffle(others)
    selected = judged.union(others[: max(0, documents - len(judged))])
    corpus = {doc_id: text[:CHARACTERS] for doc_id, text in search_set.corpus.items() if doc_id in selected}
    answered = [
        query
        for query in search_set.queries
        if any(query.relevance[doc_id] > 0 for doc_id in query.relevance.keys() & corpus)
    ]
    return SearchSet(corpus, answered)

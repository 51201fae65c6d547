"""The evaluation sets: queries, passages, and grades. No model is trained on them."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recipes.encoder.files import open_text, read_rows
from recipes.encoder.sections import Sections, as_query, digest, section
from recipes.sources import is_for_training, is_held_out, with_title


@dataclass(frozen=True)
class EvaluationSet:
    """Passages by id, and queries: each a text and its grades by passage id."""

    passages: dict[str, str]
    queries: dict[str, tuple[str, dict[str, int]]]

    def part(self, name: str, *, queries: int, documents: int) -> EvaluationSet:
        """Returns a random part: some queries, their judged passages, and others up to *documents*. 0 means all."""
        draw = random.Random(f"7 {name}")
        chosen = list(self.queries)
        if queries:
            chosen = sorted(draw.sample(chosen, min(queries, len(chosen))))
        ids = list(self.passages)
        if documents and documents < len(ids):
            judged = {doc for query in chosen for doc in self.queries[query][1] if doc in self.passages}
            others = [doc for doc in ids if doc not in judged]
            kept = judged | set(draw.sample(others, max(0, min(len(others), documents - len(judged)))))
            ids = [doc for doc in ids if doc in kept]
        return EvaluationSet({doc: self.passages[doc] for doc in ids}, {name: self.queries[name] for name in chosen})


def beir(
    folder: Path, split: str, *, trained: Callable[[str, str], bool] = lambda _query, _article: False
) -> EvaluationSet:
    """Reads a set in BEIR layout, without the queries that *trained* (id, article) names."""
    passages = {
        str(row["_id"]): with_title(str(row.get("title") or ""), str(row["text"]))
        for row in read_rows(folder / "corpus.jsonl.gz")
    }
    grades: dict[str, dict[str, int]] = {}
    (path,) = folder.glob(f"qrels/{split}.tsv*")
    with open_text(path) as lines:
        for query, doc, grade in list(csv.reader(lines, delimiter="\t"))[1:]:
            if int(grade) > 0:
                grades.setdefault(query, {})[doc] = int(grade)
    queries = {
        str(row["_id"]): (str(row["text"]), grades[str(row["_id"])])
        for row in read_rows(folder / "queries.jsonl.gz")
        if str(row["_id"]) in grades and not trained(str(row["_id"]), str(row.get("article") or ""))
    }
    return EvaluationSet(passages, queries)


def across(data: Path, *, passages: int = 20_000) -> EvaluationSet:
    """Returns the linked pairs kept out of training: an Italian heading, and its passage among English ones."""
    sections = Sections.read(data / "sections")
    gold = {row["id"]: row["en_id"] for row in sections.held_out}
    others = [
        row_id
        for row_id, row in sections.rows.items()
        if row["lang"] == "en" and section(row_id) not in sections.held_out_sections
    ]
    others.sort(key=lambda row_id: digest(f"across {row_id}"))
    ids = sorted({*gold.values(), *others[: passages - len(gold)]})
    queries = {
        row["id"]: (as_query(row, random.Random(f"across {row['id']}")), {row["en_id"]: 1}) for row in sections.held_out
    }
    return EvaluationSet({row_id: sections.rows[row_id]["passage"] for row_id in ids}, queries)


def sets(data: Path) -> dict[str, Callable[[], EvaluationSet]]:
    """Returns the reader of each set."""
    return {
        "squad_it": partial(beir, data / "squad_it", "dev", trained=lambda _, article: not is_held_out(article)),
        "cisi": partial(beir, data / "cisi", "test"),
        "cacm": partial(beir, data / "cacm", "test"),
        "vaswani_npl": partial(beir, data / "vaswani_npl", "test"),
        "obliqa": partial(beir, data / "obliqa", "test"),
        "hotpotqa_500": partial(beir, data / "hotpotqa_500", "test"),
        "scifact": partial(beir, data / "scifact", "train", trained=lambda query, _: is_for_training(query)),
        "xquad_de": partial(beir, data / "xquad" / "de", "test"),
        "xquad_es": partial(beir, data / "xquad" / "es", "test"),
        "xquad_ro": partial(beir, data / "xquad" / "ro", "test"),
        "across": partial(across, data),
    }

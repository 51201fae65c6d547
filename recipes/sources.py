"""Openly licensed sets that the built-in reranker is trained on, each as passages and questions about them.

A twentieth of the questions is reserved for fitting fusion and calibration (`is_for_fitting`). The development sets,
wikiqa and trecqa (no open licence), and the English originals of squad_it in squad_pieces (nqg_dev, qnli_dev, xquad_en)
are excluded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rerank.core.judgments import load_dataset


@dataclass(frozen=True)
class Source:
    """Passages as they are served, and questions with the rows of the passages that answer them."""

    passages: list[str]
    questions: list[tuple[str, frozenset[int]]]


def is_for_training(query_id: str) -> bool:
    """Returns True for the half of the scifact queries that training can use; the other half is for development."""
    return _digest(query_id) % 2 == 0


def is_held_out(article: str) -> bool:
    """Returns True for the fifth of the squad_it articles that is for development."""
    return _digest(article) % 5 == 0


def is_for_fitting(question: str) -> bool:
    """Returns True for the twentieth of the questions that fusion and calibration are fitted on."""
    return _digest(question) % 20 == 1


def with_title(title: str, text: str) -> str:
    """Returns a passage as encoder and reranker get it: the title followed by the text."""
    return f"{title} {text}".strip()


def read_lines(path: Path) -> Iterator[dict[str, object]]:
    """Yields the objects of a gzip JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def selqa(data: Path, draw: random.Random) -> Source:
    """Reads questions about Wikipedia sections. Passages are sentences, half of them with the article's title."""
    builder = _Builder()
    for part in ("dev", "test"):
        for row in read_lines(data / "selqa" / f"{part}.jsonl.gz"):
            title = str(row["article"]) if draw.random() < 0.5 else ""
            sentences = [str(sentence) for sentence in row["candidates"]]  # type: ignore[attr-defined]
            rows = [builder.add_passage(with_title(title, sentence)) for sentence in sentences]
            builder.add_question(str(row["question"]), {rows[answer] for answer in row["answers"]})  # type: ignore[attr-defined]
    return builder.source()


def medquad(data: Path, draw: random.Random) -> Source:
    """Reads questions about health. Only a sample is taken, because many follow a template."""
    rows = list(read_lines(data / "medquad" / "qa.jsonl.gz"))
    return _rows(draw.sample(rows, 4500), "question", "answer")


def pubmedqa(data: Path, _draw: random.Random) -> Source:
    """Reads research questions with the abstracts that answer them."""
    return _rows(list(read_lines(data / "pubmedqa" / "pqa_labeled.jsonl.gz")), "question", "context")


def pubmedqa_answers(data: Path, _draw: random.Random) -> Source:
    """Reads the questions of pubmedqa with the conclusions of the abstracts."""
    return _rows(list(read_lines(data / "pubmedqa" / "pqa_labeled.jsonl.gz")), "question", "long_answer")


def covid_faq(data: Path, _draw: random.Random) -> Source:
    """Reads questions and answers of health agencies, in English and Italian."""
    rows = [row for row in read_lines(data / "covid_faq" / "faq.jsonl.gz") if row["lang"] in ("en", "it")]
    return _rows(rows, "question", "answer")


def nqg_test(data: Path, _draw: random.Random) -> Source:
    """Reads lower-cased questions of the English SQuAD's training articles with the sentences that answer them."""
    return _rows(list(read_lines(data / "squad_pieces" / "nqg_test.jsonl.gz")), "question", "sentence")


def scifact(data: Path, _draw: random.Random) -> Source:
    """Reads the training half of the claims with the abstracts that support or refute them."""
    builder = _Builder()
    folder = data / "scifact"
    rows = {
        str(row["_id"]): builder.add_passage(with_title(str(row["title"]), str(row["text"])))
        for row in read_lines(folder / "corpus.jsonl.gz")
    }
    qrels = _qrels(folder, "train")
    for row in read_lines(folder / "queries.jsonl.gz"):
        if str(row["_id"]) in qrels and is_for_training(str(row["_id"])):
            builder.add_question(str(row["text"]), {rows[doc_id] for doc_id in qrels[str(row["_id"])]})
    return builder.source()


def squad_it(data: Path, _draw: random.Random) -> Source:
    """Reads Italian questions with paragraphs, of the articles that are not held out."""
    builder = _Builder()
    folder = data / "squad_it"
    rows = {
        str(row["_id"]): builder.add_passage(with_title(str(row["title"]), str(row["text"])))
        for row in read_lines(folder / "corpus.jsonl.gz")
        if not is_held_out(str(row["title"]))
    }
    qrels = _qrels(folder, "dev")
    for row in read_lines(folder / "queries.jsonl.gz"):
        answers = [rows[doc_id] for doc_id in qrels.get(str(row["_id"]), ()) if doc_id in rows]
        if answers and not is_held_out(str(row["article"])):
            builder.add_question(str(row["text"]), set(answers))
    return builder.source()


def tldr_english(data: Path, draw: random.Random) -> Source:
    """Reads English descriptions of what a command does, with its English page."""
    pages = [page for page in read_lines(data / "tldr_pages" / "corpus.jsonl.gz") if page["lang"] == "en"]
    return _pages(draw.sample(pages, 3500), {}, draw)


def tldr_italian(data: Path, draw: random.Random) -> Source:
    """Reads Italian descriptions of what a command does, with its Italian page."""
    pages = [page for page in read_lines(data / "tldr_pages" / "corpus.jsonl.gz") if page["lang"] == "it"]
    return _pages(pages, {}, draw)


def tldr_across(data: Path, draw: random.Random) -> Source:
    """Reads Italian descriptions of what a command does, with its English page."""
    pages = list(read_lines(data / "tldr_pages" / "corpus.jsonl.gz"))
    italian = {str(page["_id"]).replace("pages.it/", "pages/"): page for page in pages if page["lang"] == "it"}
    return _pages([page for page in pages if page["_id"] in italian], italian, draw)


def wiki_en(data: Path, draw: random.Random) -> Source:
    """Reads paragraphs of Wikipedia: the first sentence is the query, the rest the passage, at times with the title."""
    builder = _Builder()
    with lzma.open(data / "wiki_en" / "docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % 4:
                continue
            row = json.loads(line)
            paragraphs = [text for text in row["text"].split("\n") if 40 <= len(text.split()) <= 160]
            if not paragraphs:
                continue
            first, _, rest = draw.choice(paragraphs).partition(". ")
            if 6 <= len(first.split()) <= 30 and len(rest.split()) >= 20:
                builder.add_question(
                    first, {builder.add_passage(with_title(row["title"] if draw.random() < 0.3 else "", rest))}
                )
            if builder.count >= 9000:
                break
    return builder.source()


SOURCES: dict[str, tuple[Callable[[Path, random.Random], Source], int]] = {
    "selqa": (selqa, 2400),
    "medquad": (medquad, 2000),
    "pubmedqa": (pubmedqa, 1000),
    "pubmedqa_answers": (pubmedqa_answers, 1000),
    "covid_faq": (covid_faq, 400),
    "nqg_test": (nqg_test, 3000),
    "scifact": (scifact, 500),
    "squad_it": (squad_it, 6500),
    "tldr_english": (tldr_english, 2000),
    "tldr_italian": (tldr_italian, 1000),
    "tldr_across": (tldr_across, 1200),
    "wiki_en": (wiki_en, 4000),
}
"""Reader of each set, and the maximum number of its questions, so that no set dominates."""


class _Builder:
    """Builder of a Source with different passages."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._questions: dict[str, set[int]] = {}

    @property
    def count(self) -> int:
        return len(self._rows)

    def add_passage(self, passage: str) -> int:
        return self._rows.setdefault(passage, len(self._rows))

    def add_question(self, question: str, answers: set[int]) -> None:
        if question.strip() and answers:
            self._questions.setdefault(question.strip(), set()).update(answers)

    def source(self) -> Source:
        return Source(list(self._rows), [(text, frozenset(rows)) for text, rows in self._questions.items()])


def _rows(rows: list[dict[str, object]], question: str, passage: str) -> Source:
    builder = _Builder()
    for row in rows:
        # Templates have a space before the question mark, unlike typed questions.
        text = re.sub(r"\s+\?", "?", str(row[question]))
        builder.add_question(text, {builder.add_passage(str(row[passage]))})
    return builder.source()


def _pages(pages: list[dict[str, object]], question_pages: dict[str, dict[str, object]], draw: random.Random) -> Source:
    """Returns each page without the example that is the question: its words alone would identify the page."""
    builder = _Builder()
    for page in pages:
        examples = [str(example["text"]) for example in page["examples"]]  # type: ignore[attr-defined]
        question_page = question_pages.get(str(page["_id"]), page)
        questions = [str(example["text"]) for example in question_page["examples"]]  # type: ignore[attr-defined]
        if not questions:
            continue
        question = draw.choice(questions)
        others = [text for text in examples if text != question]
        builder.add_question(
            question, {builder.add_passage(with_title(str(page["title"]), " ".join([str(page["text"]), *others])))}
        )
    return builder.source()


def _qrels(folder: Path, split: str) -> dict[str, list[str]]:
    """Returns the ids of the relevant documents, by query id."""
    return {
        query.query_id: [doc_id for doc_id, grade in query.relevance.items() if grade > 0]
        for query in load_dataset(folder, split).queries
    }


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[-8:], "big")

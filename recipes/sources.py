"""The openly licensed sets that the built-in reranker learns from, each as passages and questions on them.

A twentieth of the questions is kept apart (`weighs`): with it the fused order is fitted (fitting_set).

Never among them: development sets, wikiqa and trecqa (no open licence), and the parts of squad_pieces that hold the
English originals of squad_it (nqg_dev, qnli_dev, xquad_en).
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
    """Passages as they are served, and questions: each a text and the places of the passages that answer it."""

    passages: list[str]
    questions: list[tuple[str, frozenset[int]]]


def trains(query_id: str) -> bool:
    """Whether a scifact query is for training; the other half is for development."""
    return _digest(query_id) % 2 == 0


def held_out(article: str) -> bool:
    """Whether an article of squad_it is for development: about a fifth of them."""
    return _digest(article) % 5 == 0


def weighs(question: str) -> bool:
    """Whether a question is kept from training, to fit the order and the calibration to: about one of twenty."""
    return _digest(question) % 20 == 1


def headed(title: str, text: str) -> str:
    """A passage as the encoder and the reranker read it."""
    return f"{title} {text}".strip()


def read_lines(path: Path) -> Iterator[dict[str, object]]:
    """The objects of a gzip JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def selqa(data: Path, draw: random.Random) -> Source:
    """Questions on Wikipedia sections; passages are sentences, half of them headed by the article's title."""
    builder = _Builder()
    for part in ("dev", "test"):
        for row in read_lines(data / "selqa" / f"{part}.jsonl.gz"):
            title = str(row["article"]) if draw.random() < 0.5 else ""
            sentences = [str(sentence) for sentence in row["candidates"]]  # type: ignore[attr-defined]
            places = [builder.place(headed(title, sentence)) for sentence in sentences]
            builder.ask(str(row["question"]), {places[answer] for answer in row["answers"]})  # type: ignore[attr-defined]
    return builder.source()


def medquad(data: Path, draw: random.Random) -> Source:
    """Questions on health; many follow a template, so only a part is taken."""
    rows = list(read_lines(data / "medquad" / "qa.jsonl.gz"))
    return _rows(draw.sample(rows, 4500), "question", "answer")


def pubmedqa(data: Path, _draw: random.Random) -> Source:
    """Research questions and the abstracts that answer them."""
    return _rows(list(read_lines(data / "pubmedqa" / "pqa_labeled.jsonl.gz")), "question", "context")


def pubmedqa_answers(data: Path, _draw: random.Random) -> Source:
    """The same questions and the abstracts' conclusions."""
    return _rows(list(read_lines(data / "pubmedqa" / "pqa_labeled.jsonl.gz")), "question", "long_answer")


def covid_faq(data: Path, _draw: random.Random) -> Source:
    """Questions and answers of health agencies, English and Italian."""
    rows = [row for row in read_lines(data / "covid_faq" / "faq.jsonl.gz") if row["lang"] in ("en", "it")]
    return _rows(rows, "question", "answer")


def nqg_test(data: Path, _draw: random.Random) -> Source:
    """Questions of the English SQuAD's training articles and the sentences that answer them, lower-cased."""
    return _rows(list(read_lines(data / "squad_pieces" / "nqg_test.jsonl.gz")), "question", "sentence")


def scifact(data: Path, _draw: random.Random) -> Source:
    """Claims and the abstracts that speak of them: half of the judged claims."""
    builder = _Builder()
    folder = data / "scifact"
    places = {
        str(row["_id"]): builder.place(headed(str(row["title"]), str(row["text"])))
        for row in read_lines(folder / "corpus.jsonl.gz")
    }
    judged = _judgments(folder, "train")
    for row in read_lines(folder / "queries.jsonl.gz"):
        if str(row["_id"]) in judged and trains(str(row["_id"])):
            builder.ask(str(row["text"]), {places[doc_id] for doc_id in judged[str(row["_id"])]})
    return builder.source()


def squad_it(data: Path, _draw: random.Random) -> Source:
    """Italian questions and paragraphs of four fifths of the articles."""
    builder = _Builder()
    folder = data / "squad_it"
    places = {
        str(row["_id"]): builder.place(headed(str(row["title"]), str(row["text"])))
        for row in read_lines(folder / "corpus.jsonl.gz")
        if not held_out(str(row["title"]))
    }
    judged = _judgments(folder, "dev")
    for row in read_lines(folder / "queries.jsonl.gz"):
        answers = [places[doc_id] for doc_id in judged.get(str(row["_id"]), ()) if doc_id in places]
        if answers and not held_out(str(row["article"])):
            builder.ask(str(row["text"]), set(answers))
    return builder.source()


def tldr_english(data: Path, draw: random.Random) -> Source:
    """What a command does, and the English page on it."""
    pages = [page for page in read_lines(data / "tldr_pages" / "corpus.jsonl.gz") if page["lang"] == "en"]
    return _pages(draw.sample(pages, 3500), {}, draw)


def tldr_italian(data: Path, draw: random.Random) -> Source:
    """What a command does in Italian, and the Italian page on it."""
    pages = [page for page in read_lines(data / "tldr_pages" / "corpus.jsonl.gz") if page["lang"] == "it"]
    return _pages(pages, {}, draw)


def tldr_across(data: Path, draw: random.Random) -> Source:
    """What a command does in Italian, and the English page on it."""
    pages = list(read_lines(data / "tldr_pages" / "corpus.jsonl.gz"))
    italian = {str(page["_id"]).replace("pages.it/", "pages/"): page for page in pages if page["lang"] == "it"}
    return _pages([page for page in pages if page["_id"] in italian], italian, draw)


def wiki_en(data: Path, draw: random.Random) -> Source:
    """A paragraph's first sentence, and the rest of the paragraph; or an article's title with its first paragraph."""
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
                builder.ask(first, {builder.place(headed(row["title"] if draw.random() < 0.3 else "", rest))})
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
"""Each set's reader, and how many of its questions are taken at most, so that none dominates."""


class _Builder:
    """Passages, each kept once, and the questions on them."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._questions: dict[str, set[int]] = {}

    @property
    def count(self) -> int:
        return len(self._places)

    def place(self, passage: str) -> int:
        return self._places.setdefault(passage, len(self._places))

    def ask(self, question: str, answers: set[int]) -> None:
        if question.strip() and answers:
            self._questions.setdefault(question.strip(), set()).update(answers)

    def source(self) -> Source:
        return Source(list(self._places), [(text, frozenset(places)) for text, places in self._questions.items()])


def _rows(rows: list[dict[str, object]], question: str, passage: str) -> Source:
    builder = _Builder()
    for row in rows:
        # Templates put a blank before the question mark, which no one types.
        asked = re.sub(r"\s+\?", "?", str(row[question]))
        builder.ask(asked, {builder.place(str(row[passage]))})
    return builder.source()


def _pages(pages: list[dict[str, object]], asked_of: dict[str, dict[str, object]], draw: random.Random) -> Source:
    """Each page, without the example that is asked for: with it, the words alone would give the page away."""
    builder = _Builder()
    for page in pages:
        examples = [str(example["text"]) for example in page["examples"]]  # type: ignore[attr-defined]
        asking = asked_of.get(str(page["_id"]), page)
        questions = [str(example["text"]) for example in asking["examples"]]  # type: ignore[attr-defined]
        if not questions:
            continue
        question = draw.choice(questions)
        left = [text for text in examples if text != question]
        builder.ask(question, {builder.place(headed(str(page["title"]), " ".join([str(page["text"]), *left])))})
    return builder.source()


def _judgments(folder: Path, split: str) -> dict[str, list[str]]:
    """Relevant document ids by query id."""
    return {
        query.query_id: [doc_id for doc_id, grade in query.relevance.items() if grade > 0]
        for query in load_dataset(folder, split).queries
    }


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[-8:], "big")

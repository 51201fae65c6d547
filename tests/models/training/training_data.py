"""Small training data that a tiny model can learn: the relevant passage shares the query's words."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.models.tiny import WORDS


def write_lines(file: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """One JSON object a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return file


def pairs(file: Path, *, queries: int = 40, seed: int = 1) -> Path:
    """{query, passage, label}: for each query one relevant passage and two others."""
    draw = random.Random(seed)
    rows = []
    for _ in range(queries):
        query = _text(draw, 5)
        rows.append({"query": query, "passage": f"{query} {_text(draw, 6)}", "label": 1.0})
        rows.extend({"query": query, "passage": _text(draw, 10), "label": 0} for _ in range(2))
    return write_lines(file, rows)


def beir(folder: Path, *, queries: int = 30, seed: int = 2) -> Path:
    """A BEIR folder: each query has its own relevant document among four times as many."""
    draw = random.Random(seed)
    asked = [_text(draw, 5) for _ in range(queries)]
    documents = [f"{query} {_text(draw, 4)}" for query in asked] + [_text(draw, 9) for _ in range(3 * queries)]
    write_lines(
        folder / "corpus.jsonl", ({"_id": f"d{n}", "title": "a", "text": text} for n, text in enumerate(documents))
    )
    write_lines(folder / "queries.jsonl", ({"_id": f"q{n}", "text": text} for n, text in enumerate(asked)))
    judged = "".join(f"q{n}\td{n}\t1\n" for n in range(queries))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return folder


def sentences(folder: Path, *, rows: int = 24, seed: int = 3) -> Path:
    """The STS benchmark's layout: a pair with many words in common has a high score."""
    draw = random.Random(seed)
    for part in ("train", "dev", "test"):
        write_lines(folder / f"{part}.jsonl", (_scored(draw) for _ in range(rows)))
    return folder


def _scored(draw: random.Random) -> dict[str, object]:
    score = draw.choice([0.0, 2.5, 5.0])
    first = _text(draw, 6).split()
    shared = first[: round(score / 5 * 6)]
    second = [*shared, *draw.choices(WORDS, k=6 - len(shared))]
    pair = [" ".join(first), " ".join(second)]
    return {"it": pair, "en": pair[::-1], "score": score}


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def translations(file: Path, *, rows: int = 60, seed: int = 4) -> Path:
    """{en, it}: a text, and the same with each of its words spelled backwards, which makes it one of many pieces."""
    draw = random.Random(seed)
    known = [word for word in WORDS if word != word[::-1]]
    texts = [draw.choices(known, k=draw.randint(2, 5)) for _ in range(rows)]
    return write_lines(file, ({"en": " ".join(words), "it": " ".join(word[::-1] for word in words)} for words in texts))


def entailments(folder: Path, *, rows: int = 60, seed: int = 5) -> Path:
    """Premises of cats or dogs; a hypothesis repeats them, names the other animal, or speaks of tea."""
    draw = random.Random(seed)
    for part in ("train", "dev", "test"):
        write_lines(folder / f"{part}.jsonl", (_entailed(draw, number) for number in range(rows)))
    return folder


def _entailed(draw: random.Random, number: int) -> dict[str, object]:
    animal, other = draw.sample(["cat", "dog"], 2)
    label = ("entailment", "contradiction", "neutral")[number % 3]
    said = {"entailment": animal, "contradiction": other, "neutral": "tea"}[label]
    return {"premise": f"{_text(draw, 3)} {animal}", "hypothesis": f"this is the {said}", "label": label}

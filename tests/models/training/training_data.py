"""Small training data for tiny models: the relevant passage repeats the words of the query."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.models.tiny import WORDS


def write_lines(file: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Writes one JSON object per line and returns *file*."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return file


def pairs(file: Path, *, queries: int = 40, seed: int = 1) -> Path:
    """Writes {query, passage, label}: for each query one relevant passage and two others."""
    draw = random.Random(seed)
    rows = []
    for _ in range(queries):
        query = _text(draw, 5)
        rows.append({"query": query, "passage": f"{query} {_text(draw, 6)}", "label": 1.0})
        rows.extend({"query": query, "passage": _text(draw, 10), "label": 0} for _ in range(2))
    return write_lines(file, rows)


def beir(folder: Path, *, queries: int = 30, seed: int = 2) -> Path:
    """Writes a BEIR folder with four documents per query, one of them relevant."""
    draw = random.Random(seed)
    texts = [_text(draw, 5) for _ in range(queries)]
    documents = [f"{query} {_text(draw, 4)}" for query in texts] + [_text(draw, 9) for _ in range(3 * queries)]
    write_lines(
        folder / "corpus.jsonl", ({"_id": f"d{n}", "title": "a", "text": text} for n, text in enumerate(documents))
    )
    write_lines(folder / "queries.jsonl", ({"_id": f"q{n}", "text": text} for n, text in enumerate(texts)))
    qrels = "".join(f"q{n}\td{n}\t1\n" for n in range(queries))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}", encoding="utf-8")
    return folder


def sentences(folder: Path, *, rows: int = 24, seed: int = 3) -> Path:
    """Writes the STS benchmark's layout. The score is the fraction of shared words, times 5."""
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
    """Writes {en, it}. The Italian text has the English words spelled backwards, which gives them many tokens."""
    draw = random.Random(seed)
    vocabulary = [word for word in WORDS if word != word[::-1]]
    texts = [draw.choices(vocabulary, k=draw.randint(2, 5)) for _ in range(rows)]
    return write_lines(file, ({"en": " ".join(words), "it": " ".join(word[::-1] for word in words)} for words in texts))


def entailments(folder: Path, *, rows: int = 60, seed: int = 5) -> Path:
    """Writes premises about cats or dogs. A hypothesis names the same animal, the other one, or tea."""
    draw = random.Random(seed)
    for part in ("train", "dev", "test"):
        write_lines(folder / f"{part}.jsonl", (_entailment(draw, number) for number in range(rows)))
    return folder


def _entailment(draw: random.Random, number: int) -> dict[str, object]:
    animal, other = draw.sample(["cat", "dog"], 2)
    label = ("entailment", "contradiction", "neutral")[number % 3]
    subject = {"entailment": animal, "contradiction": other, "neutral": "tea"}[label]
    return {"premise": f"{_text(draw, 3)} {animal}", "hypothesis": f"this is the {subject}", "label": label}

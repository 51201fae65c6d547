"""Speed of ingest relative to a plain loop of `SentenceTransformer.encode` with its defaults and one insert per batch.

    python -m benchmarks.ingest_speed CORPUS_JSONL [--passages 20000] [--rounds 3]

Both read the same records (texts cut to one passage each) and write them to LanceDB, in turns.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path

import lancedb
from sentence_transformers import SentenceTransformer

from benchmarks.interleaved import compare
from rerank.index.opening import open_store
from rerank.ingest.run import ingest
from rerank.models.catalog import resolve
from rerank.models.loading import load_encoder

BATCH = 32
WORDS = 120


def sample(corpus: Path, passages: int, folder: Path) -> Path:
    """Writes the first *passages* passages of *corpus*, each as a record, and returns the file."""
    written, path = 0, folder / "corpus.jsonl"
    with gzip.open(corpus, "rt", encoding="utf-8") as lines, path.open("w", encoding="utf-8") as output:
        for line in lines:
            record = json.loads(line)
            words = str(record.get("text", "")).split()
            for start in range(0, len(words), WORDS):
                piece = {"_id": f"{record['_id']}-{start}", "text": " ".join(words[start : start + WORDS])}
                output.write(json.dumps(piece) + "\n")
                written += 1
                if written == passages:
                    return path
    return path


def main() -> None:
    """Prints the ratio of both rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    encoder = load_encoder("default")
    plain = SentenceTransformer(str(resolve("default", role="encoder").path), device="cpu")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        corpus = sample(options.corpus, options.passages, folder)
        runs = iter(range(1_000))

        def ours() -> None:
            store = open_store(str(folder / f"ours{next(runs)}"))
            ingest([str(corpus)], store=store, encoder=encoder, name="docs")

        def theirs() -> None:
            table = None
            database = lancedb.connect(folder / f"theirs{next(runs)}")
            records = [json.loads(line) for line in corpus.open(encoding="utf-8")]
            for start in range(0, len(records), BATCH):
                batch = records[start : start + BATCH]
                vectors = plain.encode([record["text"] for record in batch])
                rows = [{**record, "vector": vector} for record, vector in zip(batch, vectors, strict=True)]
                if table is None:
                    table = database.create_table("docs", rows)
                else:
                    table.add(rows)

        count = sum(1 for _ in corpus.open(encoding="utf-8"))
        ratio = compare(ours, theirs, rounds=options.rounds, warm_up=0)
        print(f"{count} passages: {ratio}")


if __name__ == "__main__":
    main()

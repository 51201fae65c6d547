"""Measures all speed goals in one run: a table, JSON and a plot.

    python -m benchmarks.speed [PART…] --folder DIR [--peers PYTHON] [--cross MODEL]
        [--dataset DIR] [--rounds 5]

Parts: rerank, http, encode, quality, search, growth (default: all). --folder stores the models, the large index,
results.json and growth.png; later parts add to the same results. --peers is the Python of an environment with
onnxruntime and infinity-emb. --cross is the cross-encoder for all products.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.speed import encoding, growth, over_http, quality, reranking, searching
from benchmarks.speed.context import Context
from benchmarks.speed.result import Result, table

PARTS: dict[str, Callable[[Context], Sequence[Result]]] = {
    "rerank": reranking.measure,
    "http": over_http.measure,
    "encode": encoding.measure,
    "quality": quality.measure,
    "search": searching.measure,
    "growth": growth.measure,
}


def main() -> None:
    """Measures the parts, prints the results and writes them."""
    arguments = _arguments()
    context = Context(arguments.dataset, arguments.folder, arguments.rounds, arguments.peers, arguments.cross)
    context.folder.mkdir(parents=True, exist_ok=True)
    file = context.folder / "results.json"
    results: dict[str, list[dict[str, object]]] = json.loads(file.read_text()) if file.exists() else {}
    parts: dict[str, Callable[[Context], Sequence[Result]]] = {
        **PARTS,
        "search": partial(searching.measure, requests=arguments.requests),
    }
    for name in arguments.parts or list(PARTS):
        measured = parts[name](context)
        print(f"\n{name}\n\n{table(measured)}", flush=True)
        results[name] = [asdict(result) for result in measured]
        file.write_text(json.dumps(results, indent=1, ensure_ascii=False))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument(
        "--cross", type=Path, help="trained MiniLM-L6 cross-encoder; default: one with an untrained head"
    )
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/scifact"), help="a BEIR folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2_000, help="number of searches for the memory measurement")
    return parser.parse_args()


if __name__ == "__main__":
    main()

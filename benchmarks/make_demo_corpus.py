"""Make the corpus of `rerank-cli demo` from a dump of the tldr pages.

    python -m benchmarks.make_demo_corpus TLDR_CORPUS_JSONL_GZ cli/demo/corpus.jsonl.gz [--pages 600]

Takes the pages that are there in Italian and in English, those with the most examples first, each in both languages.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def record(page: Mapping[str, Any]) -> dict[str, str]:
    """A page as the demo has it: what the tool does, then what each example does, with its command."""
    examples = [f"{example['text']}:\n{example['command']}" for example in page["examples"]]
    folder, platform, _ = page["_id"].split("/")
    return {
        "_id": page["_id"],
        "title": page["title"],
        "text": "\n\n".join([page["text"], *examples]),
        "lang": "it" if folder == "pages.it" else "en",
        "platform": platform,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pages", type=int, default=600)
    options = parser.parse_args()
    with gzip.open(options.dump, "rt", encoding="utf-8") as lines:
        pages = {page["_id"]: page for page in map(json.loads, lines)}
    twins = [
        (pages[f"pages/{name.removeprefix('pages.it/')}"], page)
        for name, page in pages.items()
        if name.startswith("pages.it/") and f"pages/{name.removeprefix('pages.it/')}" in pages
    ]
    twins.sort(key=lambda pair: (-len(pair[1]["examples"]), pair[1]["_id"]))
    chosen = sorted((page for pair in twins[: options.pages] for page in pair), key=lambda page: str(page["_id"]))
    lines_out = "".join(json.dumps(record(page), ensure_ascii=False) + "\n" for page in chosen)
    # No name and no date in the header: equal input gives equal bytes.
    with options.output.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write(lines_out.encode())
    print(f"{len(chosen)} pages, {options.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

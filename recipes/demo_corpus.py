"""Writes the corpus of `rerank-cli demo` from a dump of the tldr pages.

    python -m recipes.demo_corpus TLDR_CORPUS_JSONL_GZ cli/demo/corpus.jsonl.gz [--pages 540]

The corpus has the pages that exist in Italian and English, in both languages, those with the most examples first, and
the English pages of everyday commands that have no translation, because users try a search with what they know.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EVERYDAY = """
    bzip2 cmp cp cut dd diff dig dmesg du egrep fdisk fd find free fsck gcc gpg grep gunzip gzip head history hostname
    htop id ifconfig iostat iotop journalctl jq kill killall last locate lsblk lscpu lsof make mkdir mktemp mv nano nc
    netstat nice nohup nslookup openssl passwd paste patch pgrep ping pkill ps pv rename rmdir rsync scp screen sed seq
    sha256sum shred shuf sleep sort split sqlite3 ss ssh ssh-copy-id ssh-keygen stat strace strings su swapon sync
    systemctl tail tar tcpdump tee time timedatectl timeout tmux top touch tr traceroute umount uniq unzip uptime
    useradd usermod vmstat watch wc whereis which who xargs xz zip zstd
"""

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
_MNEMONIC = re.compile(r"\[([A-Za-z0-9]+)\](?=\w)|(?<=\w)\[([A-Za-z0-9]+)\]")


def remove_mnemonics(text: str) -> str:
    """Returns *text* without the brackets that mark an option's letter: `[n]ame` becomes `name`."""
    return _MNEMONIC.sub(lambda match: match[1] or match[2], text)


def remove_placeholders(text: str) -> str:
    """Returns *text* without placeholder marks. Of a short and a long option, the long one stays."""
    return _PLACEHOLDER.sub(lambda match: _long_option(match[1]), text)


def _long_option(placeholder: str) -> str:
    options = re.fullmatch(r"\[(-[^|\]]*)\|(-[^|\]]*)\]", placeholder)
    return options[2] if options else placeholder


def is_everyday(name: str) -> bool:
    """Returns True if *name* is the path of the English page of a command in EVERYDAY."""
    folder, platform, file = name.split("/")
    return folder == "pages" and platform in ("common", "linux") and file.removesuffix(".md") in EVERYDAY.split()


def record(page: Mapping[str, Any]) -> dict[str, str]:
    """Returns the page as a document: the description, followed by each example with its command."""
    examples = [
        f"{remove_mnemonics(example['text'])}:\n{remove_placeholders(example['command'])}"
        for example in page["examples"]
    ]
    folder, platform, _ = page["_id"].split("/")
    return {
        "_id": page["_id"],
        "title": page["title"],
        "text": "\n\n".join([page["text"], *examples]),
        "lang": "it" if folder == "pages.it" else "en",
        "platform": platform,
    }


def main() -> None:
    """Writes the corpus and prints its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pages", type=int, default=540, help="number of pages to include in both languages")
    args = parser.parse_args()
    with gzip.open(args.dump, "rt", encoding="utf-8") as lines:
        pages = {page["_id"]: page for page in map(json.loads, lines)}
    translated = [
        (pages[f"pages/{name.removeprefix('pages.it/')}"], page)
        for name, page in pages.items()
        if name.startswith("pages.it/") and f"pages/{name.removeprefix('pages.it/')}" in pages
    ]
    translated.sort(key=lambda pair: (-len(pair[1]["examples"]), pair[1]["_id"]))
    names = {str(page["_id"]) for pair in translated[: args.pages] for page in pair}
    chosen = [pages[name] for name in sorted(names | set(filter(is_everyday, pages)))]
    content = "".join(json.dumps(record(page), ensure_ascii=False) + "\n" for page in chosen)
    # Without file name and time in the header, equal input gives equal bytes.
    with args.output.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write(content.encode())
    print(f"{len(chosen)} pages, {args.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

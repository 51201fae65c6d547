"""Make the corpus of `rerank-cli demo` from a dump of the tldr pages.

    python -m recipes.demo_corpus TLDR_CORPUS_JSONL_GZ cli/demo/corpus.jsonl.gz [--pages 540]

Takes the pages that are there in Italian and in English, those with the most examples first, each in both languages,
and the English pages of everyday commands that nobody has translated: people try a search with what they know.
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


def plain_words(text: str) -> str:
    """*text* without the brackets around the letter that an option stands for: `[n]ame` is `name`."""
    return _MNEMONIC.sub(lambda match: match[1] or match[2], text)


def plain_command(text: str) -> str:
    """*text* without the marks of its placeholders; where they give a short and a long option, the long one."""
    return _PLACEHOLDER.sub(lambda match: _longest(match[1]), text)


def _longest(placeholder: str) -> str:
    options = re.fullmatch(r"\[(-[^|\]]*)\|(-[^|\]]*)\]", placeholder)
    return options[2] if options else placeholder


def is_everyday(name: str) -> bool:
    """Whether *name* is the path of an everyday command's English page."""
    folder, platform, file = name.split("/")
    return folder == "pages" and platform in ("common", "linux") and file.removesuffix(".md") in EVERYDAY.split()


def record(page: Mapping[str, Any]) -> dict[str, str]:
    """A page as the demo has it: what the tool does, then what each example does, with its command."""
    examples = [f"{plain_words(example['text'])}:\n{plain_command(example['command'])}" for example in page["examples"]]
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
    parser.add_argument("--pages", type=int, default=540)
    options = parser.parse_args()
    with gzip.open(options.dump, "rt", encoding="utf-8") as lines:
        pages = {page["_id"]: page for page in map(json.loads, lines)}
    twins = [
        (pages[f"pages/{name.removeprefix('pages.it/')}"], page)
        for name, page in pages.items()
        if name.startswith("pages.it/") and f"pages/{name.removeprefix('pages.it/')}" in pages
    ]
    twins.sort(key=lambda pair: (-len(pair[1]["examples"]), pair[1]["_id"]))
    names = {str(page["_id"]) for pair in twins[: options.pages] for page in pair}
    chosen = [pages[name] for name in sorted(names | set(filter(is_everyday, pages)))]
    lines_out = "".join(json.dumps(record(page), ensure_ascii=False) + "\n" for page in chosen)
    # No name and no date in the header: equal input gives equal bytes.
    with options.output.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write(lines_out.encode())
    print(f"{len(chosen)} pages, {options.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

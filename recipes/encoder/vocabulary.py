"""Cut an encoder's Unigram vocabulary to the pieces that given texts use, and to the most frequent Latin-script ones.

    python -m recipes.encoder.vocabulary --base FOLDER --data DIR --output FOLDER [--pieces 110000]

Every piece that a text below DIR uses is kept, so those texts tokenise as before. Pieces in the letters of English,
Italian, German, Spanish, French, Portuguese, Romanian and Dutch fill the rest, by their Unigram score.
"""

from __future__ import annotations

import argparse
import json
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from recipes.encoder.files import read_rows, strings

TABLE = "embeddings.word_embeddings.weight"
_CHUNK = 20_000
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïñòóôõöøœùúûüÿßășşțţĳ")
_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.xz")


def texts_below(data: Path) -> Iterator[str]:
    """Yields every string of every JSON-lines file below *data*."""
    for path in sorted(data.rglob("*")):
        if path.name.endswith(_SUFFIXES):
            for row in read_rows(path):
                yield from strings(row)


def used_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    """Counts the different words of *texts* that use each piece."""
    # The tokenizer splits at white space first, so a word has the same pieces in every text.
    words = list({word for text in texts for word in text.split()})
    counts: Counter[int] = Counter()
    for start in range(0, len(words), _CHUNK):
        for encoded in tokenizer.encode_batch_fast(words[start : start + _CHUNK], add_special_tokens=False):
            counts.update(set(encoded.ids))
    return counts


def western(piece: str) -> bool:
    """Returns whether a piece has letters, and only letters of the eight languages."""
    letters = [char for char in piece.lower() if unicodedata.category(char)[0] in "LM"]
    return bool(letters) and _LETTERS.issuperset(letters)


def simple(piece: str) -> bool:
    """Returns whether a piece is one character below U+2200 that is no letter: digits, punctuation, symbols."""
    text = piece.removeprefix("▁")
    return len(text) <= 1 and all(char < "\u2200" and not char.isalpha() for char in text)


def kept_ids(model: dict[str, object], used: Iterable[int], *, pieces: int) -> list[int]:
    """Returns the ids to keep, ascending: special tokens, used pieces, then western pieces by score."""
    vocabulary: list[tuple[str, float]] = model["model"]["vocab"]  # type: ignore[index]
    special = {token["id"] for token in model["added_tokens"]}  # type: ignore[attr-defined]
    kept = special | {number for number in used if number < len(vocabulary)}
    kept |= {number for number, (piece, _) in enumerate(vocabulary) if simple(piece)}
    rest = [number for number, (piece, _) in enumerate(vocabulary) if number not in kept and western(piece)]
    rest.sort(key=lambda number: -vocabulary[number][1])
    kept |= set(rest[: max(0, pieces - len(kept))])
    return sorted(kept)


def cut(base: Path, output: Path, kept: list[int]) -> None:
    """Writes *base* with the vocabulary *kept* to *output*."""
    output.mkdir(parents=True, exist_ok=True)
    for path in base.rglob("*"):
        if path.is_file() and str(path.relative_to(base)) not in ("model.safetensors", "tokenizer.json", "config.json"):
            target = output / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    weights = load_file(str(base / "model.safetensors"))
    weights[TABLE] = np.ascontiguousarray(weights[TABLE][kept])
    save_file(weights, str(output / "model.safetensors"), metadata={"format": "pt"})

    new = {old: number for number, old in enumerate(kept)}
    model = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = model["model"]["vocab"]
    model["model"]["vocab"] = [vocabulary[old] for old in kept]
    model["model"]["unk_id"] = new[model["model"]["unk_id"]]
    for token in model["added_tokens"]:
        token["id"] = new[token["id"]]
    for token in model["post_processor"]["special_tokens"].values():
        token["ids"] = [new[old] for old in token["ids"]]
    (output / "tokenizer.json").write_text(json.dumps(model, ensure_ascii=False), encoding="utf-8")

    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config["vocab_size"] = len(kept)
    config["pad_token_id"] = new[config["pad_token_id"]]
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def differing(old: Tokenizer, new: Tokenizer, texts: Iterable[str]) -> tuple[int, int]:
    """Returns how many of *texts* split into other pieces, and the number of texts."""
    wrong = count = 0
    for text in texts:
        count += 1
        wrong += old.encode(text).tokens != new.encode(text).tokens
    return wrong, count


def main() -> None:
    """Cuts the vocabulary and prints its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=110_000, help="Number of pieces, unless the texts use more.")
    parser.add_argument("--check-every", type=int, default=200, help="Compares every Nth text after the cut.")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    used = used_pieces(tokenizer, texts_below(args.data))
    model = json.loads((args.base / "tokenizer.json").read_text(encoding="utf-8"))
    kept = kept_ids(model, used, pieces=args.pieces)
    print(f"used pieces={len(used)} used by two words={sum(n > 1 for n in used.values())} kept={len(kept)}", flush=True)
    cut(args.base, args.output, kept)
    smaller = Tokenizer.from_file(str(args.output / "tokenizer.json"))
    texts = (text for number, text in enumerate(texts_below(args.data)) if number % args.check_every == 0)
    print("texts split otherwise={} of {}".format(*differing(tokenizer, smaller, texts)), flush=True)


if __name__ == "__main__":
    main()

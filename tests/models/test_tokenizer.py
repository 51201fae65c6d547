"""Rules for tokenization."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from rerank.core.errors import ModelInvalid
from rerank.models.catalog import DEFAULT, ENCODER, resolve
from rerank.models.folder import ModelFolder
from rerank.models.tokenizer import TextTokenizer
from tests.models import tiny

DEFAULT_TOKENIZER = TextTokenizer.from_folder(resolve(DEFAULT, role="encoder"))


def loaded(folder: Path) -> TextTokenizer:
    """Returns the tokenizer in *folder*."""
    return TextTokenizer.from_folder(ModelFolder.read(folder))


@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta])
def test_pair_template_reproduces_the_tokenizer(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """Template and texts give the ids of the tokenizer, with one separator (BERT) and with two (RoBERTa)."""
    tokenizer = loaded(build(tmp_path))
    first, second = tokenizer.texts(["what is a cat", "the dog and tea"], limit=40).ids

    template = tokenizer.pair_template()

    ids = np.concatenate([template.before, first, template.between, second, template.after]).tolist()
    assert ids == Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("what is a cat", "the dog and tea").ids


def test_text_above_the_limit_is_truncated(tmp_path: Path) -> None:
    """A text at the limit is complete; a longer text is truncated and marked."""
    texts = loaded(tiny.bert(tmp_path)).texts(["the cat", "the green cat", ""], limit=2)

    assert [len(ids) for ids in texts.ids] == [2, 2, 0]
    assert texts.truncated.tolist() == [False, True, False]


def test_text_of_a_megabyte_returns_its_first_tokens() -> None:
    """The result is the same for dense and for sparse tokens."""
    dense, sparse = "the cat sat on the mat " * 45_000, " " * 500_000 + "the cat" + " " * 500_000 + "sat"

    texts = DEFAULT_TOKENIZER.texts([dense, sparse, "the cat sat"], limit=100)

    assert texts.ids[0].tolist() == DEFAULT_TOKENIZER.texts([dense[:2000]], limit=100).ids[0].tolist()
    assert texts.ids[1].tolist() == texts.ids[2].tolist()
    assert texts.truncated.tolist() == [True, False, False]


@given(st.text(st.characters(codec=None, categories=None), max_size=60))
def test_spans_are_within_the_text(text: str) -> None:
    """Spans are in order, for all characters, including lone surrogates and NUL."""
    (spans,) = DEFAULT_TOKENIZER.spans([text])

    assert spans.shape[1] == 2
    assert all(0 <= start <= end <= len(text) for start, end in spans.tolist())
    assert spans[:, 0].tolist() == sorted(spans[:, 0].tolist())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("joint-minilm-l6-v2", ["Perch", "é", "no", "?", "日", "本", "CAFÉ"]),
        # A space that is a piece of its own has the span of the character that follows.
        (ENCODER, ["Perché", "no", "?", "日", "日", "本", "C", "CAF", "É"]),
    ],
)
def test_spans_are_character_positions(name: str, expected: list[str]) -> None:
    """Positions refer to characters of the original text, not to bytes or to a normalised copy."""
    text = "Perché no? 日本 CAFÉ"

    (spans,) = TextTokenizer.from_folder(resolve(name, role="encoder")).spans([text])

    assert [text[start:end] for start, end in spans.tolist()] == expected


def test_missing_tokenizer_json_is_built_from_vocabulary(tmp_path: Path) -> None:
    """Transformers builds the tokenizer from vocab.txt."""
    tiny.bert(tmp_path)
    vocabulary = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    expected = loaded(tmp_path).texts(["what is the cat"], limit=9).ids[0].tolist()
    (tmp_path / "tokenizer.json").unlink()
    tiny.write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})

    assert loaded(tmp_path).texts(["what is the cat"], limit=9).ids[0].tolist() == expected


def test_broken_tokenizer_raises_model_invalid(tmp_path: Path) -> None:
    """The error names the unreadable or missing file."""
    tiny.bert(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelInvalid, match=r"cannot read the tokenizer .*tokenizer\.json"):
        loaded(tmp_path)


def test_built_in_tokenizer_returns_ids_of_transformers() -> None:
    """Ids and special tokens equal those of AutoTokenizer."""
    path = resolve(DEFAULT, role="encoder").path
    text = "Vitamin D's rôle in bone-health, 50µg/day!"

    template = DEFAULT_TOKENIZER.single_template()

    ids = np.concatenate([template.before, DEFAULT_TOKENIZER.texts([text], limit=99).ids[0], template.after]).tolist()
    assert ids == AutoTokenizer.from_pretrained(str(path))(text)["input_ids"]

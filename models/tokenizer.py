"""Converts texts to token ids with the Rust tokenizer of a model folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid
from rerank.core.text_embedder import Token
from rerank.models.folder import TOKENIZER_CONFIG_FILE, ModelFolder
from rerank.models.rerank_file import read_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int32]
"""Token ids (tokens,)."""
_CHARACTERS_PER_TOKEN = 16
"""Characters of a head per token of the limit. English has 4 to 5, so a head nearly always has enough tokens."""
_MARGIN_TOKENS = 64
"""Minimum number of tokens of a head beyond the limit, so that its cut cannot change the tokens within the limit."""

_CALL_CHARS = 100_000
"""Number of characters that are tokenized at once. A token takes up to 700 bytes until it is an id in an array, and a
text can have a token per character."""


@dataclass(frozen=True)
class Template:
    """The special tokens around one or two texts, and their token types.

    before, between, after: ids of the special tokens. second_type: token type of the second text and of the tokens
    after it; all others have type 0. pad_id: id for padding.
    """

    before: Ids
    between: Ids
    after: Ids
    second_type: int
    pad_id: int

    @property
    def special(self) -> int:
        """Number of special tokens."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True)
class TokenizedTexts:
    """Token ids of texts, without special tokens; `truncated` (n,) is True for shortened texts."""

    ids: list[Ids]
    truncated: NDArray[np.bool_]


class TextTokenizer:
    """Thread-safe tokenizer of one model."""

    def __init__(self, tokenizer: Tokenizer, *, source: str, pad_id: int = 0, has_types: bool = True) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._has_types = has_types
        self._tokenizer = tokenizer
        self._source = source
        self._pad_id = pad_id

    @classmethod
    def from_folder(cls, folder: ModelFolder) -> Self:
        """Loads tokenizer.json, or builds a tokenizer from the vocabulary with transformers.

        Raises ModelInvalid if neither is possible.
        """
        from tokenizers import Tokenizer

        file = folder.weights / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(file)) if file.exists() else _built_tokenizer(folder)
        except ModelInvalid:
            raise
        except Exception as exc:  # The Rust library raises bare Exception.
            raise ModelInvalid(f"cannot read the tokenizer {file}: {exc}") from exc
        pad = folder.config.get("pad_token_id")
        return cls(
            tokenizer, source=str(file), pad_id=pad if isinstance(pad, int) else 0, has_types=_takes_token_types(folder)
        )

    def texts(self, texts: Sequence[str], *, limit: int) -> TokenizedTexts:
        """Returns each text's first *limit* tokens, without special tokens."""
        needed = limit + _MARGIN_TOKENS
        encoded = self._encoded([text[: needed * _CHARACTERS_PER_TOKEN] for text in texts], keep=needed)
        for i, text in enumerate(texts):
            # The rest of a text with few tokens in its head can have a token per character.
            characters = needed * _CHARACTERS_PER_TOKEN
            while characters < len(text) and len(encoded[i]) < needed:
                characters *= 2
                encoded[i] = self._encoded([text[:characters]], keep=needed)[0]
        truncated = np.array([len(ids) > limit for ids in encoded], dtype=np.bool_)
        return TokenizedTexts([ids[:limit] for ids in encoded], truncated)

    def spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns for each text the character span of each token: int32 (tokens, 2), without special tokens."""
        encodings = self._tokenizer.encode_batch([_valid(text) for text in texts], add_special_tokens=False)
        return [np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2) for encoding in encodings]

    def tokens(self, texts: Sequence[str], *, special_tokens: bool) -> list[list[Token]]:
        """Returns the tokens of each text with their character ranges, not truncated."""
        encodings = self._tokenizer.encode_batch([_valid(text) for text in texts], add_special_tokens=special_tokens)
        return [
            [
                Token(token_id, text) if special else Token(token_id, text, *span)
                for token_id, text, span, special in zip(
                    encoding.ids, encoding.tokens, encoding.offsets, encoding.special_tokens_mask, strict=True
                )
            ]
            for encoding in encodings
        ]

    def single_template(self) -> Template:
        """Returns the special tokens around one text, taken from the tokenizer's output."""
        encoding = self._tokenizer.encode("a")
        positions = [i for i, sequence in enumerate(encoding.sequence_ids) if sequence == 0]
        if not positions:
            raise ModelInvalid(f"{self._source}: the tokenizer returns no tokens for a text")
        ids = np.array(encoding.ids, dtype=np.int32)
        no_tokens = np.zeros(0, dtype=np.int32)
        return Template(ids[: positions[0]], no_tokens, ids[positions[-1] + 1 :], 0, self._pad_id)

    def pair_template(self) -> Template:
        """Returns the special tokens around two texts.

        Raises ModelInvalid if the tokenizer does not concatenate the texts.
        """
        encoding = self._tokenizer.encode("a", "b")
        first, second = ([i for i, sequence in enumerate(encoding.sequence_ids) if sequence == s] for s in (0, 1))
        if not first or not second or first[-1] > second[0]:
            raise ModelInvalid(f"{self._source}: the tokenizer must concatenate the two texts of a pair")
        ids = np.array(encoding.ids, dtype=np.int32)
        second_type = 1 if self._has_types and any(encoding.type_ids) else 0
        before, between, after = ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]
        template = Template(before, between, after, second_type, self._pad_id)
        self._check_pair(template)
        return template

    def _check_pair(self, template: Template) -> None:
        """Raises ModelInvalid if the template does not reproduce the tokenizer's output for longer texts."""
        first, second = "what is this", "this is it."
        expected = self._tokenizer.encode(first, second)
        texts = self._encoded([first, second])
        parts = (template.before, texts[0], template.between, texts[1], template.after)
        second_length = len(texts[1]) + len(template.after)
        types = [0] * (len(expected.ids) - second_length) + [template.second_type] * second_length
        if np.concatenate(parts).tolist() != expected.ids or (self._has_types and types != expected.type_ids):
            raise ModelInvalid(f"{self._source}: the tokenizer combines the texts of a pair in an unsupported way")

    def _encoded(self, texts: Sequence[str], *, keep: int | None = None) -> list[Ids]:
        """Returns the first *keep* token ids of each text."""
        encoded: list[Ids] = []
        for batch in _batches([_valid(text) for text in texts]):
            encodings = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            encoded += [np.array(encoding.ids[:keep], dtype=np.int32) for encoding in encodings]
        return encoded


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yields the *texts* in order, in batches of at most _CALL_CHARS or one text."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and characters + len(text) > _CALL_CHARS:
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _takes_token_types(folder: ModelFolder) -> bool:
    """Returns True if tokenizer_config.json lists token types as an input of the model, as in transformers."""
    file = folder.weights / TOKENIZER_CONFIG_FILE
    names = read_object(file).get("model_input_names") if file.exists() else None
    return not isinstance(names, list) or "token_type_ids" in names


def _valid(text: str) -> str:
    """Replaces each lone surrogate with one question mark, which keeps the character offsets."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _built_tokenizer(folder: ModelFolder) -> Tokenizer:
    folder.check_tokenizer()
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as exc:
        raise ModelInvalid(
            f"{folder.weights}: tokenizer.json is missing. To build it from the vocabulary, install"
            " rerank-service[train]"
        ) from exc

    from rerank.models.runtimes.torch.transformers_output import silence_transformers

    with silence_transformers():
        tokenizer = AutoTokenizer.from_pretrained(str(folder.weights), local_files_only=True, trust_remote_code=False)
    backend: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelInvalid(f"{folder.weights}: tokenizer.json is missing and cannot be built from the vocabulary")
    return backend

"""Text to token ids: the Rust tokenizer of a model's folder, called in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid
from rerank.models.folder import TOKENIZER_CONFIG_FILE, ModelFolder
from rerank.models.rerank_file import read_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int32]
"""Token ids (tokens,)."""
_CHARACTERS_A_TOKEN = 16
"""A text's head of this many characters a token nearly always fills the model: English has 4 to 5 a token."""
_MARGIN = 64
"""Tokens past the limit that a head must have, so that where it ends cannot change what is read."""


@dataclass(frozen=True)
class Template:
    """The special tokens around one or two texts, and the token types that go with them.

    before, between, after: the special tokens' ids. second_type: the token type of the second text and what follows
    it; all else has type 0. pad_id: what fills the rows of a batch.
    """

    before: Ids
    between: Ids
    after: Ids
    second_type: int
    pad_id: int

    @property
    def special(self) -> int:
        """How many special tokens a pair has."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True)
class TokenizedTexts:
    """Texts as token ids without special tokens; `truncated` (n,) where only the first tokens are there."""

    ids: list[Ids]
    truncated: NDArray[np.bool_]


class TextTokenizer:
    """Reads the texts of one model. Safe for many threads."""

    def __init__(self, tokenizer: Tokenizer, *, source: str, pad_id: int = 0, types: bool = True) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._types = types
        self._tokenizer = tokenizer
        self._source = source
        self._pad_id = pad_id

    @classmethod
    def from_folder(cls, folder: ModelFolder) -> Self:
        """From tokenizer.json, or built by transformers where a folder has only a vocabulary.

        Raises ModelInvalid when neither can be read.
        """
        from tokenizers import Tokenizer

        file = folder.weights / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(file)) if file.exists() else _built(folder)
        except ModelInvalid:
            raise
        except Exception as exc:  # the Rust side raises bare Exception for any file that it cannot read
            raise ModelInvalid(f"{file}: the tokenizer cannot be read: {exc}") from exc
        pad = folder.config.get("pad_token_id")
        return cls(tokenizer, source=str(file), pad_id=pad if isinstance(pad, int) else 0, types=_reads_types(folder))

    def texts(self, texts: Sequence[str], *, limit: int) -> TokenizedTexts:
        """Each text's first *limit* tokens, without special tokens."""
        heads = [text[: (limit + _MARGIN) * _CHARACTERS_A_TOKEN] for text in texts]
        encoded = self._encoded(heads)
        short = [
            i
            for i, (text, head) in enumerate(zip(texts, heads, strict=True))
            if len(head) < len(text) and len(encoded[i]) < limit + _MARGIN
        ]
        for i, whole in zip(short, self._encoded([texts[i] for i in short]), strict=True):
            encoded[i] = whole
        truncated = np.array([len(ids) > limit for ids in encoded], dtype=np.bool_)
        return TokenizedTexts([ids[:limit] for ids in encoded], truncated)

    def spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """For each text the characters behind each token: int32 (tokens, 2), start and end, no special tokens."""
        encodings = self._tokenizer.encode_batch([_valid(text) for text in texts], add_special_tokens=False)
        return [np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2) for encoding in encodings]

    def single_template(self) -> Template:
        """The special tokens around one text, found by looking at what the tokenizer makes of one."""
        encoding = self._tokenizer.encode("a")
        places = [i for i, sequence in enumerate(encoding.sequence_ids) if sequence == 0]
        if not places:
            raise ModelInvalid(f"{self._source}: the tokenizer makes nothing of a text")
        ids = np.array(encoding.ids, dtype=np.int32)
        nothing = np.zeros(0, dtype=np.int32)
        return Template(ids[: places[0]], nothing, ids[places[-1] + 1 :], 0, self._pad_id)

    def pair_template(self) -> Template:
        """The special tokens around two texts. Raises ModelInvalid where the two are not read one after the other."""
        encoding = self._tokenizer.encode("a", "b")
        places = [[i for i, sequence in enumerate(encoding.sequence_ids) if sequence == s] for s in (0, 1)]
        if not all(places) or places[0][-1] > places[1][0]:
            raise ModelInvalid(f"{self._source}: the tokenizer does not read a pair as one text after the other")
        ids = np.array(encoding.ids, dtype=np.int32)
        second = 1 if self._types and any(encoding.type_ids) else 0
        before, between, after = ids[: places[0][0]], ids[places[0][-1] + 1 : places[1][0]], ids[places[1][-1] + 1 :]
        found = Template(before, between, after, second, self._pad_id)
        self._check_pair(found)
        return found

    def _check_pair(self, template: Template) -> None:
        """Longer texts must come out as the template puts them together: else scores would be of other inputs."""
        first, second = "what is this", "this is it."
        expected = self._tokenizer.encode(first, second)
        texts = self._encoded([first, second])
        parts = (template.before, texts[0], template.between, texts[1], template.after)
        typed = len(texts[1]) + len(template.after)
        types = [0] * (len(expected.ids) - typed) + [template.second_type] * typed
        if np.concatenate(parts).tolist() != expected.ids or (self._types and types != expected.type_ids):
            raise ModelInvalid(f"{self._source}: how the tokenizer puts a pair together is not supported")

    def _encoded(self, texts: Sequence[str]) -> list[Ids]:
        if not texts:
            return []
        encodings = self._tokenizer.encode_batch_fast([_valid(text) for text in texts], add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]


def _reads_types(folder: ModelFolder) -> bool:
    """Whether the model is given token types: transformers leaves them out where the tokenizer's settings do."""
    file = folder.weights / TOKENIZER_CONFIG_FILE
    names = read_object(file).get("model_input_names") if file.exists() else None
    return not isinstance(names, list) or "token_type_ids" in names


def _valid(text: str) -> str:
    """*text* with lone surrogates, which are no characters, as question marks: as many, so that offsets hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _built(folder: ModelFolder) -> Tokenizer:
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as exc:
        raise ModelInvalid(
            f"{folder.weights}: tokenizer.json is missing. To build it from the vocabulary, install"
            " rerank-service[train]"
        ) from exc

    from rerank.models.runtimes.torch.quiet import quiet

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(str(folder.weights), local_files_only=True)
    backend: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelInvalid(f"{folder.weights}: there is no tokenizer.json, and none can be built from the vocabulary")
    return backend

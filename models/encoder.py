"""The bi-encoder as both roads see it: texts in, vectors of unit length out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from core.document import Vectors
from core.errors import ModelError, ModelOutputInvalid
from models.batching import batches, distinct
from models.folder import ModelFolder
from models.network import TextNetwork
from models.tokenizer import TextTokenizer
from models.turns import Turns

if TYPE_CHECKING:
    from models.runtimes.torch import Placement

_SHOWN = 80


class BiEncoder:
    """An Encoder over a network and its tokenizer. Safe for many threads, which take turns batch by batch."""

    def __init__(
        self, folder: ModelFolder, network: TextNetwork, tokenizer: TextTokenizer, *, batch_tokens: int
    ) -> None:
        self.name = folder.name
        self.fingerprint = folder.fingerprint
        self.max_tokens = folder.max_tokens
        self.dim = network.dim
        self._prompts = folder.prompts
        self._network = network
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens
        self._turns = Turns(waiting=None, what=f"the encoder {self.name}")

    @classmethod
    def from_folder(cls, folder: ModelFolder, *, placement: Placement | None = None) -> Self:
        """Load the folder's network, by default where and as this machine runs it fastest.

        Raises ModelInvalid where the folder does not hold a bi-encoder.
        """
        from models.architectures.text import BiEncoderNetwork
        from models.runtimes.torch import best_placement

        placement = placement or best_placement()
        tokenizer = TextTokenizer.from_folder(folder)
        network = BiEncoderNetwork.from_folder(folder, tokenizer, placement=placement)
        return cls(folder, network, tokenizer, batch_tokens=placement.batch_tokens)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 (len(texts), dim), rows of unit length, in input order; no texts give (0, dim).

        Raises ModelError when the model fails, and ModelOutputInvalid on a value that is not finite.
        """
        return self._encode(texts, self._prompts["query"])

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """As encode_queries, for the other side of the comparison."""
        return self._encode(texts, self._prompts["document"])

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """For each text the characters behind each token: int32 (tokens, 2), start and end, no special tokens."""
        return self._tokenizer.spans(texts)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        different, inverse = distinct(texts)
        vectors = np.zeros((len(different), self.dim), dtype=np.float32)
        ids = self._tokenizer.texts([prompt + text for text in different], limit=self._network.text_room).ids
        # An empty text still has its special tokens.
        lengths = np.array([len(text) + 1 for text in ids], dtype=np.int32)
        for batch in batches(lengths, budget=self._batch_tokens):
            with self._turns.turn():
                try:
                    vectors[batch] = self._network.vectors([ids[i] for i in batch.tolist()])
                except (RuntimeError, MemoryError) as exc:
                    raise ModelError(f"the encoder {self.name} failed: {exc}") from exc
        self._check(vectors, different)
        return vectors[inverse]

    def _check(self, vectors: Vectors, texts: Sequence[str]) -> None:
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            text = texts[int(wrong[0])]
            raise ModelOutputInvalid(
                f"the encoder {self.name} answered a value that is not finite for the text {text[:_SHOWN]!r}"
            )

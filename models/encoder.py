"""Bi-encoder: converts texts to vectors of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.cosine_scale import CosineScale
from rerank.core.document import Vectors
from rerank.core.errors import ModelError, ModelOutputInvalid, ModelTimeout
from rerank.core.text_embedder import Token
from rerank.models.architectures.bi_encoder import BiEncoderNetwork
from rerank.models.compute_options import AUTO_COMPUTE
from rerank.models.encoder_scale import cosine_scale, scale_texts
from rerank.models.folder import ModelFolder
from rerank.models.network import TextNetwork
from rerank.models.output_cache import CacheKeys
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.choice import runtime_for
from rerank.models.scheduler_job import BatchPart, Job, Outputs, RequestLimits
from rerank.models.shared_resources import SharedResources
from rerank.models.throughput import Throughput
from rerank.models.tokenizer import TextTokenizer
from rerank.models.unique_texts import unique_texts

_QUOTED_CHARACTERS = 80


class BiEncoder:
    """Thread-safe Encoder over a network and its tokenizer.

    *shared*: the scheduler, which runs short queries before large corpora, and the cache of query vectors. By default
    the encoder has its own scheduler and no cache.
    """

    def __init__(
        self,
        folder: ModelFolder,
        network: TextNetwork,
        tokenizer: TextTokenizer,
        *,
        batch_tokens: int,
        shared: SharedResources | None = None,
    ) -> None:
        self.name = folder.name
        self.fingerprint = folder.fingerprint
        self.max_tokens = folder.max_tokens
        self.dim = network.dim
        self._prompts = folder.prompts
        self._network = network
        self._tokenizer = tokenizer
        self._batches = _TextBatches(network, batch_tokens=batch_tokens)
        self._shared = shared or SharedResources()
        self._stored_scale = folder.rerank.cosine_scale

    @cached_property
    def cosine_scale(self) -> CosineScale:
        """Scale in rerank.json, or the scale measured on sample texts at first use."""
        if self._stored_scale is not None:
            return CosineScale(self._stored_scale.unrelated, self._stored_scale.matching)
        queries, passages = scale_texts()
        return cosine_scale(self._encode(queries, self._prompts["query"]), self.encode_documents(passages))

    @classmethod
    def from_folder(
        cls, folder: ModelFolder, *, runtime: ModelRuntime | None = None, shared: SharedResources | None = None
    ) -> Self:
        """Loads the folder's network into *runtime*, by default the fastest one on this machine.

        Raises ModelInvalid for a folder without a bi-encoder.
        """
        runtime = runtime or runtime_for(folder, AUTO_COMPUTE)
        tokenizer = TextTokenizer.from_folder(folder)
        network = BiEncoderNetwork.from_folder(folder, tokenizer, runtime=runtime)
        return cls(folder, network, tokenizer, batch_tokens=runtime.batch_tokens, shared=shared)

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        """Returns float32 (len(texts), dim), rows of unit length, in input order.

        Raises ModelError if the model fails, ModelOutputInvalid for a value that is not finite, and ModelTimeout when
        the *deadline* has passed.
        """
        keys = CacheKeys("query vector", self.fingerprint)
        vectors = {text: self._shared.cache.get(keys.key(text)) for text in dict.fromkeys(texts)}
        missing = [text for text, vector in vectors.items() if vector is None]
        for text, vector in zip(missing, self._encode(missing, self._prompts["query"], deadline), strict=True):
            vectors[text] = vector.copy()
            self._shared.cache.put(keys.key(text), vectors[text], size=vector.nbytes)
        return np.stack([vectors[text] for text in texts]) if texts else self._encode([], "")

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Returns vectors as `encode_queries` does, with the prompt of documents and without a cache."""
        return self._encode(texts, self._prompts["document"])

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns for each text the character span of each token: int32 (tokens, 2), without special tokens."""
        return self._tokenizer.spans(texts)

    def tokens(self, texts: Sequence[str], *, special_tokens: bool) -> list[list[Token]]:
        """Returns the tokens of each text, not truncated and without the prompt."""
        return self._tokenizer.tokens(texts, special_tokens=special_tokens)

    def _encode(self, texts: Sequence[str], prompt: str, deadline: float | None = None) -> Vectors:
        unique, inverse = unique_texts(texts)
        ids = self._tokenizer.texts([prompt + text for text in unique], limit=self._network.max_text_tokens).ids
        # An empty text has special tokens to compute, so its length must not be 0.
        lengths = np.array([len(text) + 1 for text in ids], dtype=np.int32)
        job = Job(self._batches, ids, lengths, limits=RequestLimits(deadline))
        try:
            self._shared.scheduler.run(job)
        except (RuntimeError, MemoryError) as exc:
            raise ModelError(f"the encoder {self.name} failed: {exc}") from exc
        if not job.has_output.all():
            raise ModelTimeout(f"the encoder {self.name} did not finish in time. Retry, or raise timeout_ms.")
        self._check(job.outputs, unique)
        return job.outputs[inverse]

    def _check(self, vectors: Vectors, texts: Sequence[str]) -> None:
        invalid = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(invalid):
            text = texts[int(invalid[0])]
            raise ModelOutputInvalid(
                f"the encoder {self.name} returned a value that is not finite for the text"
                f" {text[:_QUOTED_CHARACTERS]!r}"
            )


class _TextBatches:
    """BatchModel over a TextNetwork. Texts of several requests can share a batch."""

    mixes_requests = True

    def __init__(self, network: TextNetwork, *, batch_tokens: int) -> None:
        self.batch_tokens = batch_tokens
        self.output_shape = (network.dim,)
        self.throughput = Throughput()
        self._network = network

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Outputs]:
        """Returns float32 (texts, dim) for each part."""
        vectors = self._network.vectors([text for part in parts for text in part.texts])
        return np.split(vectors, np.cumsum([len(part.positions) for part in parts])[:-1])

"""Speed of encoding, and the time for all pairs of 10,000 sentences by bi-encoder and by cross-encoder."""

from __future__ import annotations

from sentence_transformers import CrossEncoder, SentenceTransformer

from benchmarks.interleaved import compare, seconds
from benchmarks.speed.context import Context
from benchmarks.speed.result import Result
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.encoder import BiEncoder

_TEXTS = 256
_SENTENCES = 10_000
_SENTENCE_WORDS = 15
_SAMPLE = 400


def measure(context: Context) -> list[Result]:
    """Returns the ratio of the encoders, and both times for all pairs."""
    folder = resolve(DEFAULT, role="encoder")
    ours, theirs = BiEncoder.from_folder(folder), SentenceTransformer(str(folder.path), device="cpu")
    texts = context.passages(_TEXTS)
    ratio = compare(lambda: ours.encode_documents(texts), lambda: theirs.encode(texts), rounds=context.rounds)
    results = [Result.at_least("encoding / SentenceTransformer.encode", ratio.median, "x", goal=3, detail=str(ratio))]
    sentences = context.passages(_SAMPLE, words=_SENTENCE_WORDS)
    pairs = list(zip(sentences, reversed(sentences), strict=True))
    cross = CrossEncoder(str(context.cross_encoder()), device="cpu")
    cross.predict(pairs[:64])
    per_pair = seconds(lambda: cross.predict(pairs)) / len(pairs)
    per_sentence = seconds(lambda: ours.encode_documents(sentences)) / len(sentences)
    all_pairs = _SENTENCES * (_SENTENCES - 1) / 2
    how = f"measured on {_SAMPLE} sentences of {_SENTENCE_WORDS} words, extrapolated"
    return [
        *results,
        Result("all pairs of 10,000 sentences, bi-encoder", per_sentence * _SENTENCES, "s", detail=f"ours; {how}"),
        Result("all pairs of 10,000 sentences, cross-encoder", per_pair * all_pairs / 3600, "h", detail=how),
    ]

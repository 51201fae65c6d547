"""Models and texts for the speed measurements. All models have the built-in encoder's weights."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import DEFAULT, resolve

SEED = 20
QUERY = "does a higher dose of vitamin D lower the risk of a fracture"


def random_cross_encoder(folder: Path) -> Path:
    """Writes a cross-encoder with an untrained head, as fast as a trained one, and returns *folder*."""
    encoder = resolve(DEFAULT, role="encoder").path
    torch.manual_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(str(encoder), num_labels=1)
    torch.nn.init.normal_(model.classifier.weight, std=0.3)
    model.save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(str(encoder)).save_pretrained(str(folder))
    return folder


def untrained_joint(folder: Path) -> Path:
    """Writes an untrained joint reranker and returns *folder*."""
    encoder = resolve(DEFAULT, role="encoder").path
    JointReranker.from_encoder(encoder).save(folder, tokenizer_from=encoder)
    return folder


def corpus_texts(dataset: Path, *, limit: int) -> list[str]:
    """Returns the first *limit* documents of a BEIR folder, each starting with its title."""
    texts: list[str] = []
    plain = dataset / "corpus.jsonl"
    compressed = dataset / "corpus.jsonl.gz"
    with (
        gzip.open(compressed, "rt", encoding="utf-8") if compressed.exists() else plain.open(encoding="utf-8") as lines
    ):
        for line in lines:
            record = json.loads(line)
            texts.append(f"{record.get('title', '')} {record['text']}".strip())
            if len(texts) == limit:
                break
    return texts


def passages_of(texts: list[str], *, words: int, count: int) -> list[str]:
    """Returns *count* passages of exactly *words* words, cut from *texts* in order."""
    all_words = [word for text in texts for word in text.split()]
    return [" ".join(all_words[i * words : (i + 1) * words]) for i in range(count)]

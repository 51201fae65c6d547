"""Ranking lists as tensors, as the joint reranker and as cross-encoders read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.ranking_lists import RankingList

Ids = NDArray[np.int32]


class ListBatches(Protocol):
    """Lists read into tokens once, since each epoch needs them again."""

    @property
    def lists(self) -> Sequence[RankingList]:
        """What was read."""

    @property
    def lengths(self) -> Sequence[int]:
        """The longest row of each list, in tokens."""

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """The lists at *places*: what the model reads, and of each of their n passages the label, the teacher's
        cosine, and its list's row, as `labels`, `teacher` and `rows` (n,)."""


class JointListBatches:
    """ListBatches for the joint reranker: queries and passages apart, as ids and mask."""

    def __init__(
        self, lists: Sequence[RankingList], tokenizer: PreTrainedTokenizerBase, *, query_tokens: int, max_tokens: int
    ) -> None:
        self.lists = lists
        self._queries = _read(tokenizer, [one.query for one in lists], query_tokens)
        self._passages = _apart(lists, _read(tokenizer, [text for one in lists for text in one.passages], max_tokens))
        self._padding = _padding(tokenizer)
        both = zip(self._queries, self._passages, strict=True)
        self.lengths = [len(query) + max(map(len, passages)) for query, passages in both]

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """As ListBatches has it: `query_ids` and `query_mask` (b, q), `passage_ids` and `passage_mask` (n, p)."""
        query_ids, query_mask = pad_token_ids([self._queries[place] for place in places], self._padding)
        passage_ids, passage_mask = pad_token_ids(
            [ids for place in places for ids in self._passages[place]], self._padding
        )
        return {
            "query_ids": query_ids,
            "query_mask": query_mask,
            "passage_ids": passage_ids,
            "passage_mask": passage_mask,
            **_judgments([self.lists[place] for place in places]),
        }


class CrossEncoderListBatches:
    """ListBatches for a cross-encoder: query and passage as one row."""

    def __init__(
        self, lists: Sequence[RankingList], tokenizer: PreTrainedTokenizerBase, *, query_tokens: int, max_tokens: int
    ) -> None:
        self.lists = lists
        self._tokenizer = tokenizer
        queries = [
            tokenizer.decode(ids[1:-1]) if len(ids) >= query_tokens else one.query
            for one, ids in zip(lists, _read(tokenizer, [one.query for one in lists], query_tokens), strict=True)
        ]
        limit = min(query_tokens + max_tokens, tokenizer.model_max_length)
        read = tokenizer(
            [query for query, one in zip(queries, lists, strict=True) for _ in one.passages],
            [text for one in lists for text in one.passages],
            truncation="only_second",
            max_length=limit,
        )
        self._ids = _apart(lists, [np.asarray(ids, dtype=np.int32) for ids in read["input_ids"]])
        types = read.get("token_type_ids")
        self._types = _apart(lists, [np.asarray(ids, dtype=np.int32) for ids in types]) if types else None
        self._padding = _padding(tokenizer)
        self.lengths = [max(map(len, rows)) for rows in self._ids]

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """As ListBatches has it: `input_ids`, `attention_mask` and, where the model has them, `token_type_ids`."""
        ids, mask = pad_token_ids([row for place in places for row in self._ids[place]], self._padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._types is not None:
            batch["token_type_ids"], _ = pad_token_ids([row for place in places for row in self._types[place]], 0)
        return {**batch, **_judgments([self.lists[place] for place in places])}


def pad_token_ids(rows: Sequence[Ids], padding: int) -> tuple[Tensor, Tensor]:
    """Ids and mask of *rows*, int64 (n, longest)."""
    ids = np.full((len(rows), max(map(len, rows))), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def _judgments(lists: Sequence[RankingList]) -> dict[str, Tensor]:
    return {
        "rows": torch.tensor([row for row, one in enumerate(lists) for _ in one.passages]),
        "labels": torch.tensor([label for one in lists for label in one.labels]),
        "teacher": torch.tensor([cosine for one in lists for cosine in one.teacher]),
    }


def _read(tokenizer: PreTrainedTokenizerBase, texts: list[str], limit: int) -> list[Ids]:
    read = tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)
    return [np.asarray(ids, dtype=np.int32) for ids in read["input_ids"]]


def _apart(lists: Sequence[RankingList], rows: Sequence[Ids]) -> list[list[Ids]]:
    """Rows of all passages, as one list of rows for each ranking list."""
    left = iter(rows)
    return [[next(left) for _ in one.passages] for one in lists]


def _padding(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(tokenizer.pad_token_id or 0)

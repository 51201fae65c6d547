"""Ranking lists as batches of token ids, for joint rerankers and for cross-encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.ranking_lists import RankingList

TokenIds = NDArray[np.int32]


class ListBatches(Protocol):
    """Ranking lists, tokenized once for all epochs."""

    @property
    def lists(self) -> Sequence[RankingList]:
        """The lists."""

    @property
    def lengths(self) -> Sequence[int]:
        """Number of tokens of the longest row of each list."""

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Returns the lists at *indices*: the model's inputs and, for their n passages, `labels`, `teacher` and `rows`.

        `rows` (n,) holds the number of the passage's list in the batch.
        """


class JointListBatches:
    """ListBatches for a joint reranker: queries and passages are separate rows."""

    def __init__(
        self, lists: Sequence[RankingList], tokenizer: PreTrainedTokenizerBase, *, query_tokens: int, max_tokens: int
    ) -> None:
        self.lists = lists
        self._queries = _tokenize(tokenizer, [ranking_list.query for ranking_list in lists], query_tokens)
        passages = _tokenize(tokenizer, [text for ranking_list in lists for text in ranking_list.passages], max_tokens)
        self._passages = _split_by_list(lists, passages)
        self._padding = _padding_id(tokenizer)
        both = zip(self._queries, self._passages, strict=True)
        self.lengths = [len(query) + max(map(len, rows)) for query, rows in both]

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """See ListBatches. Inputs: `query_ids`, `query_mask` (b, q) and `passage_ids`, `passage_mask` (n, p)."""
        query_ids, query_mask = pad_token_ids([self._queries[index] for index in indices], self._padding)
        passages = [ids for index in indices for ids in self._passages[index]]
        passage_ids, passage_mask = pad_token_ids(passages, self._padding)
        return {
            "query_ids": query_ids,
            "query_mask": query_mask,
            "passage_ids": passage_ids,
            "passage_mask": passage_mask,
            **_label_tensors([self.lists[index] for index in indices]),
        }


class CrossEncoderListBatches:
    """ListBatches for a cross-encoder: query and passage share a row."""

    def __init__(
        self, lists: Sequence[RankingList], tokenizer: PreTrainedTokenizerBase, *, query_tokens: int, max_tokens: int
    ) -> None:
        self.lists = lists
        queries = [
            tokenizer.decode(ids[1:-1]) if len(ids) >= query_tokens else ranking_list.query
            for ranking_list, ids in zip(
                lists, _tokenize(tokenizer, [ranking_list.query for ranking_list in lists], query_tokens), strict=True
            )
        ]
        encoded = tokenizer(
            [query for query, ranking_list in zip(queries, lists, strict=True) for _ in ranking_list.passages],
            [text for ranking_list in lists for text in ranking_list.passages],
            truncation="only_second",
            max_length=min(query_tokens + max_tokens, tokenizer.model_max_length),
        )
        self._ids = _split_by_list(lists, [np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"]])
        types = encoded.get("token_type_ids")
        self._types = _split_by_list(lists, [np.asarray(ids, dtype=np.int32) for ids in types]) if types else None
        self._padding = _padding_id(tokenizer)
        self.lengths = [max(map(len, rows)) for rows in self._ids]

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """See ListBatches. Inputs: `input_ids`, `attention_mask` and, if the model has them, `token_type_ids`."""
        ids, mask = pad_token_ids([row for index in indices for row in self._ids[index]], self._padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._types is not None:
            batch["token_type_ids"], _ = pad_token_ids([row for index in indices for row in self._types[index]], 0)
        return {**batch, **_label_tensors([self.lists[index] for index in indices])}


def pad_token_ids(rows: Sequence[TokenIds], padding: int) -> tuple[Tensor, Tensor]:
    """Returns ids and attention mask of *rows*, int64 (n, longest row)."""
    ids = np.full((len(rows), max(map(len, rows))), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def _label_tensors(lists: Sequence[RankingList]) -> dict[str, Tensor]:
    return {
        "rows": torch.tensor([row for row, ranking_list in enumerate(lists) for _ in ranking_list.passages]),
        "labels": torch.tensor([label for ranking_list in lists for label in ranking_list.labels]),
        "teacher": torch.tensor([value for ranking_list in lists for value in ranking_list.teacher]),
    }


def _tokenize(tokenizer: PreTrainedTokenizerBase, texts: list[str], limit: int) -> list[TokenIds]:
    encoded = tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)
    return [np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"]]


def _split_by_list(lists: Sequence[RankingList], rows: Sequence[TokenIds]) -> list[list[TokenIds]]:
    """Returns the rows of all passages, grouped by ranking list."""
    remaining = iter(rows)
    return [[next(remaining) for _ in ranking_list.passages] for ranking_list in lists]


def _padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(tokenizer.pad_token_id or 0)

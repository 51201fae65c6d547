"""Layers of the BERT family for inference: the arithmetic of transformers' BertModel, without its overhead.

The layers are faster for four reasons. Weights stay in the memory layout of the CPU. One product computes query, key
and value. Products include the activation and the residual. The last layer computes only the required positions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.bert_family import BertShape
from rerank.models.runtimes.torch.linear import Linear
from rerank.models.runtimes.torch.placement import Placement, tensor


class BertEmbeddings:
    """Input of the first layer for token ids. Tables stay in float32, because lookups are cheap and sums stay exact."""

    def __init__(self, weights: Mapping[str, torch.Tensor], *, folder: ModelFolder, placement: Placement) -> None:
        def table(name: str) -> torch.Tensor:
            return tensor(weights, f"embeddings.{name}", folder=folder).to(placement.device)

        self._shape = BertShape.of(folder)
        self._dtype = placement.dtype
        self._words = table("word_embeddings.weight")
        self._positions = table("position_embeddings.weight")
        self._types = table("token_type_embeddings.weight")
        self._norm = (table("LayerNorm.weight"), table("LayerNorm.bias"))

    def __call__(self, ids: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        """Returns (b, t, hidden) for ids and types int64 (b, t); None means types of zero."""
        first = self._shape.first_position
        x = functional.embedding(ids, self._words)
        x += self._positions[first : first + ids.shape[1]]
        x += self._types[0] if types is None else functional.embedding(types, self._types)
        x = functional.layer_norm(x, (self._shape.hidden,), *self._norm, eps=self._shape.epsilon)
        return x.to(self._dtype)


class BertLayer:
    """Attention and feed-forward, each with its residual and norm."""

    def __init__(
        self, weights: Mapping[str, torch.Tensor], number: int, *, folder: ModelFolder, placement: Placement
    ) -> None:
        def part(name: str) -> torch.Tensor:
            return tensor(weights, f"encoder.layer.{number}.{name}", folder=folder)

        def norm(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            to = placement.device, placement.dtype
            return part(f"{name}.LayerNorm.weight").to(*to), part(f"{name}.LayerNorm.bias").to(*to)

        def linear(name: str, *, gelu: bool = False) -> Linear:
            return Linear(part(f"{name}.weight"), part(f"{name}.bias"), placement=placement, gelu=gelu)

        self._shape = BertShape.of(folder)
        parts = [f"attention.self.{name}" for name in ("query", "key", "value")]
        self._qkv = Linear(
            torch.cat([part(f"{name}.weight") for name in parts]),
            torch.cat([part(f"{name}.bias") for name in parts]),
            placement=placement,
        )
        self._attended = linear("attention.output.dense")
        self._attended_norm = norm("attention.output")
        self._wide = linear("intermediate.dense", gelu=True)
        self._narrow = linear("output.dense")
        self._narrow_norm = norm("output")

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None, *, first_only: bool = False) -> torch.Tensor:
        """Returns (b, t, hidden), or (b, 1, hidden) with *first_only*.

        bias: (b, 1, t), 0 on tokens and a large negative number on padding; None without padding.
        """
        qkv = self._qkv(x)
        if first_only:
            x = x[:, :1].contiguous()
        attended = self._attention(qkv, bias, queries=x.shape[1])
        x = self._layer_norm(self._attended.plus(attended, x), self._attended_norm)
        return self._layer_norm(self._narrow.plus(self._wide(x), x), self._narrow_norm)

    def _attention(self, qkv: torch.Tensor, bias: torch.Tensor | None, *, queries: int) -> torch.Tensor:
        b, t, _ = qkv.shape
        heads, size = self._shape.heads, self._shape.hidden // self._shape.heads
        q, k, v = qkv.view(b, t, 3, heads, size).permute(2, 0, 3, 1, 4).unbind(0)  # each (b, heads, t, size)
        q = q[:, :, :queries]
        if qkv.device.type == "cpu":
            y = _cpu_attention(q, k, v, bias)
        else:
            y = functional.scaled_dot_product_attention(q, k, v, None if bias is None else bias.unsqueeze(1))
        return y.transpose(1, 2).reshape(b, queries, heads * size)

    def _layer_norm(self, x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return functional.layer_norm(x, (self._shape.hidden,), *norm, eps=self._shape.epsilon)


def _cpu_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:  # q (b, h, n, d); k, v (b, h, t, d) -> (b, h, n, d)
    # The CPU attention of torch took 1.3 to 1.5 times as long in bfloat16 at 32 to 512 tokens.
    b, heads, n, size = q.shape
    t = k.shape[2]
    q, k, v = (part.reshape(b * heads, -1, size) for part in (q, k, v))
    weights = torch.bmm(q, k.transpose(1, 2)).mul_(size**-0.5)
    if bias is not None:
        weights.view(b, heads * n, t).add_(bias)
    return torch.bmm(torch.softmax(weights, dim=-1), v).view(b, heads, n, size)


def padding_bias(lengths: torch.Tensor, longest: int, *, placement: Placement) -> torch.Tensor | None:
    """Returns (b, 1, longest) for rows of *lengths* (b,) tokens, or None without padding."""
    if bool((lengths == longest).all()):
        return None
    padded = torch.arange(longest, device=lengths.device) >= lengths[:, None]
    # With minus infinity, the softmax of a row of padding only would be NaN.
    lowest = torch.finfo(placement.dtype).min / 2
    return torch.zeros(padded.shape, dtype=placement.dtype, device=lengths.device).masked_fill_(padded, lowest)[:, None]

"""Attention whose four projections are on tiles; products of queries, keys and values are digital."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 (the name everyone uses)
from torch import Tensor, nn

if TYPE_CHECKING:
    from nn_mapping.analog.linear import ArrayLinear


class ArrayMultiheadAttention(nn.Module):
    """`torch.nn.MultiheadAttention` with arrays for queries, keys, values and outputs.

    It has none of the weights that torch's fast path would read past the arrays.
    """

    in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(
        self,
        attention: nn.MultiheadAttention,
        query: ArrayLinear,
        key: ArrayLinear,
        value: ArrayLinear,
        out: ArrayLinear,
    ) -> None:
        super().__init__()
        self.embed_dim, self.num_heads = attention.embed_dim, attention.num_heads
        self.batch_first, self.dropout = attention.batch_first, attention.dropout
        self.query, self.key, self.value, self.out = query, key, value, out
        self._packed = attention.in_proj_weight is not None

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As `torch.nn.MultiheadAttention`."""
        if is_causal and attn_mask is None:
            raise ValueError("is_causal is a hint about attn_mask, which is missing")
        single, swap = query.ndim == 2, query.ndim == 3 and not self.batch_first
        asked, keys, values = (
            x.unsqueeze(0) if single else x.transpose(0, 1) if swap else x for x in (query, key, value)
        )
        q, k, v = (
            self._heads(array(x))
            for array, x in ((self.query, asked), (self.key, keys), (self.value, values))
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])  # (count, heads, asked, keys)
        if attn_mask is not None:
            by_head = (
                attn_mask if attn_mask.ndim == 2 else attn_mask.view(-1, self.num_heads, *attn_mask.shape[1:])
            )
            scores = scores + _additive(by_head, scores)
        if key_padding_mask is not None:
            padded = key_padding_mask.unsqueeze(0) if single else key_padding_mask
            scores = scores + _additive(padded, scores)[:, None, None, :]
        weights = F.dropout(scores.softmax(dim=3), self.dropout, training=self.training)
        found = self.out((weights @ v).transpose(1, 2).flatten(2))
        found = found.squeeze(0) if single else found.transpose(0, 1) if swap else found
        if not need_weights:
            return found, None
        shown = weights.mean(dim=1) if average_attn_weights else weights
        return found, shown.squeeze(0) if single else shown

    def held(self) -> dict[str, Tensor]:
        """What the tiles hold, as weights and biases of the plain layer: under torch's names."""
        parts = [array.held() for array in (self.query, self.key, self.value)]
        found = {f"out_proj.{name}": values for name, values in self.out.held().items()}
        if self._packed:
            found["in_proj_weight"] = torch.cat([part["weight"] for part in parts])
        else:
            found |= {
                f"{letter}_proj_weight": part["weight"] for letter, part in zip("qkv", parts, strict=True)
            }
        if self.query.bias is not None:
            found["in_proj_bias"] = torch.cat([part["bias"] for part in parts])
        return found

    def _heads(self, x: Tensor) -> Tensor:
        """(count, heads, length, features of a head) of (count, length, features)."""
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """A mask as what is added to scores: minus infinity where a mask of truth values holds."""
    if mask.dtype is not torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)

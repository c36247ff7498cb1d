"""Compressed weights of a Core ML program back to the numbers they stand for.

Written from the definition of the operations, not with coremltools' own decoders, so that each
can be held against the other.
"""

from __future__ import annotations

import torch
from torch import Tensor


def blockwise_shift_scale(data: Tensor, scale: Tensor) -> Tensor:
    """`data` integers of any shape times `scale`, whose every axis divides that of `data`."""
    for axis, (size, blocks) in enumerate(zip(data.shape, scale.shape, strict=True)):
        scale = scale.repeat_interleave(size // blocks, dim=axis)
    return data * scale


def lut_to_dense(indices: Tensor, lut: Tensor) -> Tensor:
    """Entries of `lut` (groups..., entries, 1) picked by `indices`, group by group of each axis."""
    *groups, entries, width = lut.shape
    if width != 1:
        raise ValueError(f"no palette of vectors of {width} entries")
    table = torch.arange(lut.numel() // entries).reshape(groups)
    for axis, (size, count) in enumerate(zip(indices.shape, groups, strict=True)):
        table = table.repeat_interleave(size // count, dim=axis)
    return lut.reshape(-1)[table * entries + indices.long()]

"""Weights as integers: quantized once, written with the same integers into every format."""

from __future__ import annotations

import numpy as np

from ..core.bundle.quantized import Quantized
from ..core.bundle.schemes import BLOCK, SCALE_BITS, SCHEMES, Precision
from ..core.errors import UsageError
from ..core.spec import Array
from .layers import Layer

SMALLEST = 8192
"""Values of a weight at 4 bits: of fewer, 4 bits save nothing that would be worth their error."""
SHARES = tuple(round(1.0 - 0.04 * step, 2) for step in range(11))
"""Scales that are tried at 4 bits, as shares of the one that cuts nothing; the first wins a tie."""


def takes_4_bits(layer: Layer) -> bool:
    """Whether a weight has 4 bits where these are asked for, rather than 8."""
    return layer.is_matrix and layer.inputs % BLOCK == 0 and layer.weight.numel() >= SMALLEST


def bits_of(layer: Layer, precision: Precision) -> int | None:
    """Bits of the integers that a layer's weight becomes; None where it stays float."""
    scheme = SCHEMES[precision]
    if not scheme.integers:
        return None
    return scheme.bits if scheme.bits == 8 or takes_4_bits(layer) else 8


def stored_bits(layer: Layer, precision: Precision) -> int:
    """Bits that a layer's weight takes in a file, its scales included."""
    bits = bits_of(layer, precision)
    if bits is None:
        return SCHEMES[precision].bits * layer.weight.numel()
    scales = layer.outputs if bits == 8 else layer.weight.numel() // BLOCK
    return bits * layer.weight.numel() + SCALE_BITS * scales


def quantize(weight: Array, bits: int, axis: int = 1, spare_bits: int = 0) -> Quantized:
    """Round a weight, whose outputs lie on `axis`, to 8 bits each or to 4 per `BLOCK` inputs.

    Of these, `spare_bits` stay unused.

    A block of 4 bits takes the scale of least squared error: its largest values may be cut, which
    at so few levels costs less than it saves on all others.
    Raises `UsageError` for other bits, and for 4 where the inputs are no multiple of `BLOCK`:
    converters corrupt such weights without a word.
    """
    if bits not in (4, 8):
        raise UsageError(f"weights of {bits} bits; accepted: 4 and 8")
    last = np.moveaxis(weight, axis, -1)
    outputs = last.shape[-1]
    inputs = last.size // outputs
    block = inputs if bits == 8 else BLOCK
    if inputs % block:
        raise UsageError(f"4-bit weights need a multiple of {BLOCK} inputs, not {inputs}")
    blocks = last.reshape(inputs // block, block, outputs)
    top = 2 ** (bits - spare_bits - 1) - 1
    whole = np.abs(blocks).max(axis=1) / top
    scale = _scale(whole) if bits == 8 else _least_squares(blocks, whole, top)
    integers = _rounded(blocks, scale, top).reshape(last.shape).astype(np.int8)
    return Quantized(np.ascontiguousarray(np.moveaxis(integers, -1, axis)), scale, bits, axis)


def _least_squares(blocks: Array, whole: Array, top: int) -> Array:
    tried = [_scale(whole * share) for share in SHARES]
    errors = [((blocks - _rounded(blocks, s, top) * s[:, None]) ** 2).sum(axis=1) for s in tried]
    best = np.argmin(errors, axis=0)
    return np.asarray(np.choose(best, tried), np.float32)


def _rounded(blocks: Array, scale: Array, top: int) -> Array:
    return np.asarray(np.clip(np.rint(blocks / scale[:, None]), -top, top))


def _scale(values: Array) -> Array:
    """At least what fp16 holds with all its bits, and exact in it."""
    return np.asarray(np.maximum(values, 2.0**-14).astype(np.float16), np.float32)

"""A weight as integers: what a quantizer hands to every writer of files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantized:
    """A weight: `integers` (its own shape) times `scale`, symmetric, no zero point.

    `integers` lie in -127..127 at 8 bits and -7..7 at 4. `axis` is that of the outputs, all other
    axes in their order are the inputs; `scale` (inputs / block, outputs) holds values that fp16
    represents exactly. At 8 bits an output is one block; at 4 the weight has two axes.
    """

    integers: NDArray[np.int8]
    scale: NDArray[np.float32]
    bits: int
    axis: int = 1

    @property
    def block(self) -> int:
        """Inputs that share one scale."""
        return self.integers.size // self.scale.size

    @property
    def transposed(self) -> Quantized:
        """The same, of two axes, with these exchanged."""
        return replace(self, integers=self.integers.T, axis=1 - self.axis)


def dequantize(quantized: Quantized) -> NDArray[np.float32]:
    """The weight that the integers stand for, in their shape."""
    last = np.moveaxis(quantized.integers, quantized.axis, -1)
    scale = np.repeat(quantized.scale, quantized.block, axis=0)
    values = last.reshape(scale.shape) * scale
    weight = np.moveaxis(values.reshape(last.shape), -1, quantized.axis)
    return np.ascontiguousarray(weight, np.float32)

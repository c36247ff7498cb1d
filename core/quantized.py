"""A weight as integers: what a quantizer hands to every writer of files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantized:
    """A weight (inputs, outputs): `integers` times `scale`, symmetric, no zero point.

    `integers` (inputs, outputs) lie in -127..127 at 8 bits and -7..7 at 4; `scale`
    (inputs / block, outputs) holds values that fp16 represents exactly. At 8 bits a column is one
    block.
    """

    integers: NDArray[np.int8]
    scale: NDArray[np.float32]
    bits: int

    @property
    def block(self) -> int:
        """Inputs that share one scale."""
        return len(self.integers) // len(self.scale)


def dequantize(quantized: Quantized) -> NDArray[np.float32]:
    """The weight (inputs, outputs) that the integers stand for."""
    scale = np.repeat(quantized.scale, quantized.block, axis=0)
    return np.asarray(quantized.integers * scale, np.float32)

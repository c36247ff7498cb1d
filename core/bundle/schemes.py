"""Ways to store numbers: one table that plans, quantizers and writers of files all read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """What is stored and computed: int8 and int4 are weights only, w8a8 also activations.

    int8-dynamic also rounds activations, by the range that they have in each call. bf16 is stored
    as fp16 is.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
    INT8_DYNAMIC = "int8-dynamic"
    INT4 = "int4"
    W8A8 = "w8a8"
    MIXED = "mixed"
    PAL6 = "pal6"
    PAL4 = "pal4"


class Needs(StrEnum):
    """What a precision cannot be made without: a file, by the verb's option."""

    PRECISION_CONFIG = "precision_config"
    CALIBRATION = "calibration"


BLOCK = 32
"""Inputs that share a scale at 4 bits; at 8 bits all inputs of an output do."""
SCALE_BITS = 16


@dataclass(frozen=True)
class Scheme:
    """How a precision stores the weights of layers: everything else is fp16, in fp32 float32."""

    bits: int
    integers: bool = False
    """Whether the bits are those of an integer with a scale."""
    palette: bool = False
    """Whether they are the number of one of 2**bits values."""
    activations: int | None = None
    """Bits of what enters the layers, where that is rounded too."""
    dynamic: bool = False
    """Whether what enters layers is rounded too, by the range that it has in each call."""
    spare_bits: int = 0
    """Bits of integers that stay unused: older processors add two products in 16 bits, which are
    then enough."""
    bfloat16: bool = False
    """Whether the engine is told to compute in bfloat16, which is no matter of the file."""
    needs: Needs | None = None


SCHEMES: Mapping[Precision, Scheme] = {
    Precision.FP32: Scheme(32),
    Precision.FP16: Scheme(16),
    Precision.BF16: Scheme(16, bfloat16=True),
    Precision.INT8: Scheme(8, integers=True),
    Precision.INT8_DYNAMIC: Scheme(8, integers=True, dynamic=True, spare_bits=1),
    Precision.INT4: Scheme(4, integers=True),
    Precision.W8A8: Scheme(8, integers=True, activations=8, needs=Needs.CALIBRATION),
    Precision.MIXED: Scheme(16, needs=Needs.PRECISION_CONFIG),
    Precision.PAL6: Scheme(6, palette=True),
    Precision.PAL4: Scheme(4, palette=True),
}
"""`mixed` gives each layer the scheme that its mixed-precision config names."""

"""Which weights of a component become integers, and of how many bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.bundle.quantized import Quantized
from ..core.bundle.schemes import SCHEMES, Precision
from .layers import quantizable
from .quantization import bits_of, quantize


def quantized(
    component: str, module: Any, precision: Precision, precision_config: Mapping[str, Precision]
) -> dict[str, Quantized]:
    """The component's weights that `precision` stores as integers, by state-dict key.

    int8, w8a8 and int4 take every layer that can be, mixed the ones to which `precision_config`
    gives one of these, by path in the whole model (`decoder.head`); other precisions none.
    """
    found = {}
    for path, layer in quantizable(module).items():
        whole = f"{component}.{path}"
        chosen = precision_config[whole] if precision is Precision.MIXED else precision
        if bits := bits_of(layer, chosen):
            spare = SCHEMES[chosen].spare_bits
            found[f"{path}.weight"] = quantize(layer.array(), bits, layer.axis, spare)
    return found

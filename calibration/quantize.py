"""Which weights of a part become integers, and of how many bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.quantized import Quantized
from ..core.spec import Array, Precision
from ..families.hiresldm.layers import Linear
from .quantization import quantize, takes_4_bits

BITS = {Precision.INT8: 8, Precision.INT4: 4, Precision.W8A8: 8}


def linear_weights(module: Any) -> dict[str, Array]:
    """The weights (inputs, outputs) of a part's linear layers, by state-dict key."""
    return {
        f"{path}.weight": layer.weight.detach().numpy()
        for path, layer in module.named_modules()
        if isinstance(layer, Linear)
    }


def quantized(
    part: str, module: Any, precision: Precision, recipe: Mapping[str, Precision]
) -> dict[str, Quantized]:
    """The part's weights that `precision` stores as integers, by state-dict key.

    int8, w8a8 and int4 take every linear layer, mixed the ones to which `recipe` gives one of
    these, by path in the whole model (`decoder.head`); other precisions none.
    """
    found = {}
    for key, weight in linear_weights(module).items():
        path = f"{part}.{key.removesuffix('.weight')}"
        chosen = recipe[path] if precision is Precision.MIXED else precision
        if chosen in BITS:
            found[key] = quantize(weight, bits_of(weight, BITS[chosen]))
    return found


def bits_of(weight: Array, wanted: int) -> int:
    """Bits a weight (inputs, outputs) gets: 4 only where that is possible and saves something."""
    return wanted if takes_4_bits(*weight.shape) else 8

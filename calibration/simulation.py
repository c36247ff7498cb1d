"""A model whose weights have the values that an export of it would hold."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..core.quantized import dequantize
from ..core.spec import Precision
from ..families.checkpoints import Model
from .layers import Layer, quantizable
from .quantization import BLOCK, quantize, takes_4_bits

BITS = {Precision.INT8: 8, Precision.INT4: 4}
Layers = Mapping[str, Precision]
"""Precisions of layers by module path; layers that are not named are fp16."""


def nearest(layer: Layer, precision: Precision) -> Precision:
    """`precision`, or int8 instead of int4 where a weight does not take 4 bits."""
    if precision is Precision.INT4 and not takes_4_bits(layer):
        return Precision.INT8
    return precision


def uniform(model: nn.Module, precision: Precision) -> dict[str, Precision]:
    """Every layer at one precision, as near as it can be."""
    return {path: nearest(layer, precision) for path, layer in quantizable(model).items()}


def rounded(layer: Layer, precision: Precision) -> Tensor:
    """A layer's weight after a round trip through fp16, int8 or int4."""
    if precision not in BITS:
        return layer.weight.half().float()
    return torch.from_numpy(dequantize(quantize(layer.array(), BITS[precision], layer.axis)))


def simulated(model: Model, layers: Layers) -> Model:
    """A copy of the model, its layers rounded to `layers`, every other tensor to fp16."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(parameter.half())
        given = quantizable(model)
        for path, layer in quantizable(made).items():
            layer.weight.copy_(rounded(given[path], layers.get(path, Precision.FP16)))
    return made


def stored_bytes(layer: Layer, precision: Precision) -> int:
    """Bytes of a weight: 2, 1 or half a byte for each, and 2 for each scale."""
    inputs, outputs = layer.inputs, layer.outputs
    if precision not in BITS:
        return 2 * inputs * outputs
    scales = outputs if precision is Precision.INT8 else inputs // BLOCK * outputs
    return inputs * outputs * BITS[precision] // 8 + 2 * scales


def fp32_bytes(module: nn.Module) -> int:
    """Bytes of all weights in float32, to which shares of sizes refer."""
    return 4 * sum(int(value.numel()) for value in module.state_dict().values())


def model_bytes(model: nn.Module, layers: Layers) -> int:
    """Bytes of all weights of a model stored with these precisions."""
    found = quantizable(model)
    others = sum(p.numel() for p in model.parameters()) - sum(
        layer.weight.numel() for layer in found.values()
    )
    return 2 * others + sum(
        stored_bytes(layer, layers.get(path, Precision.FP16)) for path, layer in found.items()
    )

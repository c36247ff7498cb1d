"""A model whose weights have the values that an export of it would hold."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..core.bundle.quantized import dequantize
from ..core.bundle.schemes import SCHEMES, Precision
from ..families.checkpoints import Model
from .layers import Layer, quantizable
from .quantization import bits_of, quantize, stored_bits

Layers = Mapping[str, Precision]
"""Precisions of layers by module path; layers that are not named are fp16."""


def nearest(layer: Layer, precision: Precision) -> Precision:
    """`precision`, or int8 instead of int4 where a weight does not take 4 bits."""
    is_coarser = bits_of(layer, precision) != SCHEMES[precision].bits
    return Precision.INT8 if SCHEMES[precision].integers and is_coarser else precision


def uniform(model: nn.Module, precision: Precision) -> dict[str, Precision]:
    """Every layer at one precision, as near as it can be."""
    return {path: nearest(layer, precision) for path, layer in quantizable(model).items()}


def rounded(layer: Layer, precision: Precision) -> Tensor:
    """A layer's weight after a round trip through fp16, int8 or int4."""
    if bits := bits_of(layer, precision):
        return torch.from_numpy(dequantize(quantize(layer.array(), bits, layer.axis)))
    return layer.weight.half().float()


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


def stored_bytes(layer: Layer, precision: Precision) -> int:
    """Bytes of a layer's weight and its scales."""
    return stored_bits(layer, precision) // 8

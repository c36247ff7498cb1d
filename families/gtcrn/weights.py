"""GTCRN's weights: those of the ONNX file that streams frame by frame, or random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import IntegrityError, reason
from ..checkpoints import Model, OneSize
from ..gru import Gru
from .host import Host
from .network import Gtcrn

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.PReLU, nn.Linear, nn.LayerNorm, Gru)
_BEGINS = ("Conv", "ConvTranspose", "PRelu", "MatMul", "GRU", "Mul")
"""Operators that, where they have weights, are a layer; `Add` has its bias."""
_EPSILON = 1e-5
"""Of torch's batch norms."""
CONFIG = OneSize("gtcrn", "gtcrn", Host())


def outline(config: str) -> Model:
    """The model without memory for its weights; raises ValueError for values: it has none."""
    CONFIG.check_json(config)
    with torch.device("meta"):
        return _model()


def untrained(size: str | None = None) -> Model:
    """The model with random weights, the same ones each time; raises `UsageError` for a size."""
    CONFIG.check_size(size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _model().eval()
        for layer in model.modules():
            if isinstance(layer, nn.LayerNorm):  # equal weights would be one in a graph
                nn.init.normal_(layer.weight, 1.0, 0.1)
    return model


def published(path: Path) -> Model:
    """The model with the weights of `gtcrn_simple.onnx`, one frame at a time, as it is published.

    Raises `IntegrityError` for a file that is no ONNX or has other layers.
    """
    import onnx

    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's errors share no narrower base
        raise IntegrityError(f"{path}: not an ONNX file: {reason(error, path)}") from error
    model = untrained()
    network = model.get_submodule("enhancer")
    layers = [(name, one) for name, one in network.named_modules() if isinstance(one, _LAYERS)]
    found = _found(graph)
    if len(found) != len(layers):
        raise IntegrityError(f"{path}: {len(found)} layers with weights; GTCRN has {len(layers)}")
    for (name, layer), tensors in zip(layers, found, strict=True):
        try:
            _fill(layer, tensors)
        except (RuntimeError, ValueError, IndexError) as error:
            said = reason(error, path)
            raise IntegrityError(f"{path}: not the weights of {name}: {said}") from error
    return model


def _model() -> Model:
    model = Model(CONFIG)
    model.enhancer = Gtcrn()
    return model


def _found(graph: Any) -> list[list[Tensor]]:
    """The tensors of every layer, as they run: that is the order in which ours are declared."""
    from onnx import numpy_helper

    held = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
    layers: list[list[Tensor]] = []
    for node in graph.node:
        tensors = [held[name] for name in node.input if name in held and held[name].ndim]
        if node.op_type in _BEGINS and tensors:
            layers.append(tensors)
        elif node.op_type == "Add" and tensors:
            layers[-1] = [*layers[-1], *tensors]
        elif node.op_type == "BatchNormalization":
            layers[-1] = _as_convolution(*layers[-1], *tensors)
    return layers


def _as_convolution(
    weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
) -> list[Tensor]:
    """A transposed convolution with the norm after it; without strides, as the usual one it is."""
    scale = scale / torch.sqrt(variance + _EPSILON)
    inputs, outputs, *kernel = weight.shape  # of each of `len(scale) // outputs` groups
    grouped = weight.reshape(-1, inputs * outputs // len(scale), outputs, *kernel)
    weight = (grouped * scale.reshape(-1, 1, outputs, 1, 1)).reshape(weight.shape)
    if kernel == [1, 1]:
        weight = weight.transpose(0, 1)
    elif kernel == [3, 3]:  # depthwise
        weight = weight.flip(2, 3)
    return [weight.contiguous(), (bias - mean) * scale + shift]


def _fill(layer: nn.Module, tensors: list[Tensor]) -> None:
    if isinstance(layer, nn.Linear):
        tensors = [tensors[0].T.contiguous(), *tensors[1:]]
    if isinstance(layer, nn.PReLU):
        tensors = [tensors[0].reshape(1).expand(layer.num_parameters).contiguous()]
    if isinstance(layer, Gru):
        tensors = tensors[:3]
    names = [name for name, _ in layer.named_parameters()]
    layer.load_state_dict(dict(zip(names, tensors, strict=True)))

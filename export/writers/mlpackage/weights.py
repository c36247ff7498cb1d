"""Weights inside a MIL program: named after the state dict, stored as integers or palettes.

A `linear` operation holds its weight as (outputs, inputs), whatever the state dict has, and a
convolution as torch does. The weight is a constant named after its key with `__` for every dot,
`blocks__0__expand__weight`, and what comes out is named after the module, `blocks__0__expand`: a
reader of the saved file, or of a trace of it, finds the PyTorch module that each came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ....core.bundle.quantized import Quantized
from ....core.errors import ExportError, UsageError
from ....core.spec import Array, Arrays

_LAYERS = ("linear", "conv", "conv_transpose")
_PALETTE = "_palettized"
"""What coremltools appends to the name of a weight when it makes a palette of it."""
_PALETTE_MIN_SIZE = 10_000
"""coremltools clusters smaller weights from a random start, which would change the file's hash."""


def name_of(key: str) -> str:
    """The name in a program of the state dict's `key`; MIL allows no dots."""
    return key.replace(".", "__")


def key_of(name: str) -> str:
    """The state dict's key of a weight called `name`, compressed or not."""
    return name.removesuffix(_PALETTE).replace("__", ".")


def layers(program: Any) -> list[Any]:
    """The operations of the main function that hold weights, in order of execution."""
    return [op for op in program.functions["main"].operations if op.op_type in _LAYERS]


def linears(program: Any) -> list[Any]:
    """Those of them that are `linear`."""
    return [layer for layer in layers(program) if layer.op_type == "linear"]


def name_layers(program: Any, state: Arrays) -> None:
    """Name every layer and its weight by the state dict; raises `ExportError` for an unknown."""
    _restore_linears(program)
    outputs = program.functions["main"].outputs
    keys = {_digest(value.T): key for key, value in state.items() if value.ndim == 2}
    keys |= {_digest(value): key for key, value in state.items()}
    for layer in layers(program):
        key = keys.get(_digest(layer.weight.val))
        if key is None and layer.op_type != "linear":
            continue  # a fixed kernel
        if key is None:
            raise ExportError(f"coreml: the weight of '{layer.name}' is none of the checkpoint's")
        layer.weight.op.name = layer.weight.name = name_of(key)
        (result,) = layer.outputs
        if result not in outputs:
            layer.name = result.name = name_of(key.removesuffix(".weight"))


def store_integers(program: Any, quantized: Mapping[str, Quantized]) -> None:
    """Replace weights by their integers and scales; raises `ExportError` for one not found."""
    found = {key_of(layer.weight.name): layer for layer in layers(program)}
    if missing := sorted(quantized.keys() - found.keys()):
        raise ExportError(f"coreml: the program has no weight {', '.join(missing)}")
    for key, values in quantized.items():
        _replace(program, found[key].weight, values)


def store_halves(program: Any) -> None:
    """Store the weights of layers as fp16, where fp16 holds them exactly; they compute in fp32."""
    block = program.functions["main"]
    for layer in layers(program):
        weight = layer.weight
        half = weight.val.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), weight.val):
            continue
        constant = weight.op
        with _adding(block) as build:
            wide = build.constexpr_cast(
                source_val=half, output_dtype="fp32", before_op=constant, name=weight.name
            )
        block.replace_uses_of_var_after_op(anchor_op=constant, old_var=weight, new_var=wide)
        block.remove_ops([constant])


def laid_out(values: Quantized) -> tuple[np.ndarray, Array]:
    """Integers and scales as a program holds them: of as many axes, outputs of a `linear` first."""
    if values.integers.ndim == 2:
        turned = values.transposed if values.axis == 1 else values
        return np.ascontiguousarray(turned.integers), np.ascontiguousarray(values.scale.T)
    shape = [1] * values.integers.ndim
    shape[values.axis] = -1
    return values.integers, values.scale.reshape(shape)


def palettize(model: Any, bits: int) -> Any:
    """The model with the weights of its `linear`s as palettes of 2**bits values (k-means)."""
    import coremltools.optimize.coreml as compress

    config = compress.OpPalettizerConfig(
        mode="kmeans", nbits=bits, weight_threshold=_PALETTE_MIN_SIZE
    )
    return compress.palettize_weights(
        model, compress.OptimizationConfig(op_type_configs={"linear": config})
    )


def quantize_activations(
    program: Any,
    module: Any,
    keys: Iterable[str],
    names: Sequence[str],
    calibration: Iterable[Arrays],
) -> None:
    """Round the input of each weight's `linear` to 8 bits, scaled by its largest magnitude.

    `calibration` holds inputs of `module`, whose arguments are called `names`. Raises `UsageError`
    where they never reach one of the weights.
    """
    top = _largest_inputs(module, keys, ([c[name] for name in names] for c in calibration))
    for linear in linears(program):
        key = key_of(linear.weight.name)
        if key in top:
            _round_input(program, linear, top[key])


def _restore_linears(program: Any) -> None:
    """A layer whose bias is zero has lost it, and with it that it is a `linear`: both come back."""
    block = program.functions["main"]
    for product in block.find_ops(op_type="matmul"):
        weight = product.y.val
        with _adding(block) as build:
            result = build.linear(
                x=product.x,
                weight=np.ascontiguousarray(weight.T),
                bias=np.zeros(weight.shape[1], weight.dtype),
                before_op=product,
                name=product.name,
            )
        block.replace_uses_of_var_after_op(
            anchor_op=product, old_var=product.outputs[0], new_var=result
        )
        block.remove_ops([product])


def _replace(program: Any, weight: Any, values: Quantized) -> None:
    from coremltools.converters.mil.mil import types

    stored = types.nptype_from_builtin(types.int4 if values.bits == 4 else types.int8)
    block, constant = program.functions["main"], weight.op
    integers, scale = laid_out(values)
    with _adding(block) as build:
        compressed = build.constexpr_blockwise_shift_scale(
            data=integers.astype(stored),
            scale=scale.astype(weight.val.dtype),
            before_op=constant,
            name=weight.name,
        )
    block.replace_uses_of_var_after_op(anchor_op=constant, old_var=weight, new_var=compressed)
    block.remove_ops([constant])


@contextmanager
def _adding(block: Any) -> Iterator[Any]:
    """The builder of coremltools, adding to `block`."""
    from coremltools.converters.mil.mil import Builder
    from coremltools.converters.mil.mil.scope import ScopeInfo, ScopeSource

    # A program that torch.export gave refuses operations without a place in the PyTorch source.
    places = (ScopeSource.EXIR_STACK_TRACE, ScopeSource.EXIR_DEBUG_HANDLE)
    with block, Builder.scope(*(ScopeInfo(source=place, data=[None]) for place in places)):
        yield Builder


def _largest_inputs(
    module: Any, keys: Iterable[str], calls: Iterable[Sequence[Array]]
) -> dict[str, float]:
    """Largest magnitude that enters each layer, by the key of its weight."""
    import torch

    top = dict.fromkeys(keys, 0.0)

    def watch(key: str) -> Any:
        def see(_: Any, arguments: tuple[Any, ...]) -> None:
            top[key] = max(top[key], float(arguments[0].abs().max()))

        return module.get_submodule(key.removesuffix(".weight")).register_forward_pre_hook(see)

    hooks = [watch(key) for key in top]
    try:
        with torch.inference_mode():
            for arguments in calls:
                module(*map(torch.from_numpy, arguments))
    finally:
        for hook in hooks:
            hook.remove()
    if silent := [key for key, value in top.items() if not 0.0 < value < np.inf]:
        raise UsageError(f"the calibration never reaches {', '.join(silent)} with finite values")
    return top


def _round_input(program: Any, linear: Any, top: float) -> None:
    from coremltools.converters.mil.mil import types

    block, value = program.functions["main"], linear.x
    scale = types.nptype_from_builtin(value.dtype)(top / 127)
    with _adding(block) as build:
        integers = build.quantize(input=value, scale=scale, output_dtype="int8", before_op=linear)
        restored = build.dequantize(input=integers, scale=scale, before_op=linear)
    block.replace_uses_of_var_after_op(
        anchor_op=restored.op, end_op=linear, old_var=value, new_var=restored
    )


def _digest(weight: np.ndarray) -> tuple[Any, bytes]:
    """The same for a weight in fp32 and rounded to fp16."""
    return weight.shape, np.ascontiguousarray(weight, np.float16).tobytes()

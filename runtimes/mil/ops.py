"""The operations of a Core ML program, one PyTorch function each.

Arguments carry the names of the MIL operation set (iOS 18). They are tensors, strings or lists of
tensors; axes, sizes and flags are tensors too. Floating point is float32 throughout: the caller
rounds each result to the type that the program declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .constexpr import blockwise_shift_scale, lut_to_dense
from .recurrent import gru

Kernel = Callable[..., Tensor | Sequence[Tensor]]

DTYPES: Mapping[str, torch.dtype] = {
    "fp16": torch.float16,
    "fp32": torch.float32,
    "bool": torch.bool,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.uint16,
    "int32": torch.int32,
}


def rounded(value: Tensor, dtype: str) -> Tensor:
    """The value as the type `dtype` holds it; what fp16 holds comes back as float32."""
    stored = value.to(DTYPES[dtype])
    return stored.float() if dtype == "fp16" else stored


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, weight, bias)


def _conv(
    x: Tensor,
    weight: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor,
    dilations: Tensor,
    groups: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    run = _of_axes({3: F.conv1d, 4: F.conv2d}, x, pad_type)
    padded = _pad(x, pad, "constant", torch.tensor(0.0)) if pad_type == "custom" else x
    return run(padded, weight, bias, strides.tolist(), 0, dilations.tolist(), int(groups))


def _conv_transpose(
    x: Tensor,
    weight: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor,
    dilations: Tensor,
    groups: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """Padding cuts from both sides of every axis of the result."""
    run = _of_axes({3: F.conv_transpose1d, 4: F.conv_transpose2d}, x, pad_type, "transposed ")
    whole = run(x, weight, bias, strides.tolist(), 0, 0, int(groups), dilations.tolist())
    if pad_type == "valid":
        return whole
    cuts = zip(pad.reshape(-1, 2).tolist(), whole.shape[2:], strict=True)
    for axis, ((begin, end), size) in enumerate(cuts, start=2):
        whole = whole.narrow(axis, begin, size - end - begin)
    return whole


def _of_axes(
    kernels: Mapping[int, Callable[..., Tensor]], x: Tensor, pad_type: str, kind: str = ""
) -> Callable[..., Tensor]:
    """The kernel for as many axes as `x` has; raises ValueError where there is none."""
    if x.ndim not in kernels or pad_type not in ("custom", "valid"):
        raise ValueError(f"no {kind}{x.ndim - 2}-d convolution with padding '{pad_type}'")
    return kernels[x.ndim]


def _pad(x: Tensor, pad: Tensor, mode: str, constant_val: Tensor) -> Tensor:
    # Core ML lists the pairs of the first axis first, PyTorch those of the last.
    pairs = pad.reshape(-1, 2).flip(0).flatten().tolist()
    if mode == "reflect" and not any(pairs[2:]):
        return F.pad(x, pairs[:2], mode="reflect")
    if mode != "constant":
        raise ValueError(f"no padding of mode '{mode}', only constant, or reflect of the last axis")
    return F.pad(x, pairs, value=float(constant_val))


def _avg_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor,
    exclude_padding_from_average: Tensor,
    ceil_mode: Tensor,
) -> Tensor:
    if x.ndim != 4 or pad.any() or ceil_mode:
        raise ValueError("no average but of two axes, without padding and of whole windows")
    return F.avg_pool2d(x, kernel_sizes.tolist(), strides.tolist())


def _batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, epsilon: Tensor
) -> Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=float(epsilon))


def _layer_norm(
    x: Tensor,
    axes: Tensor,
    epsilon: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
) -> Tensor:
    first = x.ndim - len(axes)
    if [axis % x.ndim for axis in axes.tolist()] != list(range(first, x.ndim)):
        raise ValueError(f"no layer norm over the axes {axes.tolist()}, only over the last ones")
    return F.layer_norm(x, x.shape[first:], gamma, beta, float(epsilon))


def _gelu(x: Tensor, mode: str) -> Tensor:
    if mode != "EXACT":
        raise ValueError(f"no gelu of mode '{mode}', only EXACT")
    return F.gelu(x)


def _silu(x: Tensor) -> Tensor:
    return F.silu(x)


def _concat(values: Sequence[Tensor], axis: Tensor, interleave: Tensor) -> Tensor:
    if interleave:  # the first of each, then the second of each
        place = int(axis) % values[0].ndim
        return torch.stack(list(values), place + 1).flatten(place, place + 1)
    # The parts of a shape are scalars; MIL joins them as one-element vectors.
    return torch.cat([v if v.ndim else v.reshape(1) for v in values], int(axis))


def _split(x: Tensor, split_sizes: Tensor, axis: Tensor) -> Sequence[Tensor]:
    return torch.split(x, split_sizes.tolist(), int(axis))


def _slice_by_index(
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """Axes in `squeeze_mask` are left out: of them the slice begins and ends at one index."""
    given = (begin_mask, end_mask, squeeze_mask)
    masks = [[False] * x.ndim if mask is None else mask.tolist() for mask in given]
    edges = zip(begin.tolist(), end.tolist(), *masks, strict=True)
    at: list[int | slice] = [
        i if alone else slice(None if b else i, None if e else j) for i, j, b, e, alone in edges
    ]
    return x[tuple(at)]


def _gather(
    x: Tensor, indices: Tensor, axis: Tensor, batch_dims: Tensor, validate_indices: Tensor
) -> Tensor:
    """Without batch axes; out-of-range indices raise whether or not `validate_indices` asks."""
    if int(batch_dims):
        raise ValueError(f"no gather with {int(batch_dims)} batch axes")
    at = indices.long()
    rows = torch.index_select(x, int(axis), at.reshape(-1))
    return rows.reshape((*x.shape[: int(axis)], *at.shape, *x.shape[int(axis) + 1 :]))


def _fill(shape: Tensor, value: Tensor) -> Tensor:
    return torch.full(shape.tolist(), value.item())


def _reduce_mean(x: Tensor, axes: Tensor, keep_dims: Tensor) -> Tensor:
    return x.mean(dim=axes.tolist(), keepdim=bool(keep_dims))


def _squeeze(x: Tensor, axes: Tensor) -> Tensor:
    return x.squeeze(axes.tolist())


def _stack(values: Sequence[Tensor], axis: Tensor) -> Tensor:
    return torch.stack(list(values), int(axis))


def _range(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    return torch.arange(start.item(), end.item(), step.item())


def _expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _reshape(x: Tensor, shape: Tensor) -> Tensor:
    """0 keeps the axis at its place, -1 is what is left."""
    sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(shape.tolist())]
    return x.reshape(sizes)


def _cast(x: Tensor, dtype: str) -> Tensor:
    return rounded(x, dtype)


def _constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    return rounded(source_val, output_dtype)


def _select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(cond, a, b)


def _rsqrt(x: Tensor, epsilon: Tensor) -> Tensor:
    return torch.rsqrt(x + epsilon)


def _clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    return torch.clamp(x, alpha, beta)


def _quantize(input: Tensor, scale: Tensor, output_dtype: str) -> Tensor:  # noqa: A002
    """Symmetric, one scale for the tensor; `input` is the name that MIL gives it."""
    dtype = DTYPES[output_dtype]
    limits = torch.iinfo(dtype)
    return torch.clamp(torch.round(input / scale), limits.min, limits.max).to(dtype)


def _dequantize(input: Tensor, scale: Tensor) -> Tensor:  # noqa: A002
    return input * scale


KERNELS: Mapping[str, Kernel] = {
    "abs": torch.abs,
    "add": lambda x, y: x + y,
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "cast": _cast,
    "clip": _clip,
    "concat": _concat,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": _constexpr_cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "cos": torch.cos,
    "dequantize": _dequantize,
    "elu": lambda x, alpha: F.elu(x, float(alpha)),
    "exp": torch.exp,
    "expand_dims": _expand_dims,
    "fill": _fill,
    "floor_div": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "gather": _gather,
    "gelu": _gelu,
    "greater_equal": lambda x, y: x >= y,
    "gru": gru,
    "layer_norm": _layer_norm,
    "leaky_relu": lambda x, alpha: F.leaky_relu(x, float(alpha)),
    "linear": _linear,
    "log": lambda x, epsilon: torch.log(x + epsilon),
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "quantize": _quantize,
    "range_1d": _range,
    "real_div": lambda x, y: x / y,
    "reduce_mean": _reduce_mean,
    "relu": torch.relu,
    "reshape": _reshape,
    "rsqrt": _rsqrt,
    "select": _select,
    "shape": lambda x: torch.tensor(x.shape, dtype=torch.int32),
    "sigmoid": torch.sigmoid,
    "silu": _silu,
    "sin": torch.sin,
    "slice_by_index": _slice_by_index,
    "softplus": F.softplus,
    "split": _split,
    "sqrt": torch.sqrt,
    "squeeze": _squeeze,
    "stack": _stack,
    "sub": lambda x, y: x - y,
    "tanh": torch.tanh,
    "transpose": lambda x, perm: x.permute(perm.tolist()),
}

"""The toolkit's GRU (`hiresldm::gru`) in the words of ONNX and Core ML.

Core ML's new state is tanh(W x + b + r * (R h)), torch's tanh(W x + b + r * (R h + c)): c becomes
the column of R that meets one more hidden unit, which begins at 1 and whose update gate keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...core.spec import Array, Arrays

_KEPT = 60.0
"""Bias of an update gate whose sigmoid is 1 in fp16 and fp32 alike."""
_WEIGHTS = ("weight", "recurrence", "bias")


def onnx() -> Callable[..., Any]:
    """The operation as a function of onnxscript's operators."""
    from onnxscript import opset21

    op: Any = opset21  # its annotations are of values, not of what is traced

    def translated(x: Any, weight: Any, recurrence: Any, bias: Any) -> Any:
        directions, _, hidden = recurrence.shape
        states, _ = op.GRU(
            op.Transpose(x, perm=[1, 0, 2]),
            weight,
            recurrence,
            bias,
            direction="bidirectional" if directions == 2 else "forward",
            hidden_size=hidden,
            linear_before_reset=1,
        )
        # (T, D, B, H) to (B, T, D * H)
        by_batch = op.Transpose(states, perm=[2, 0, 1, 3])
        return op.Reshape(by_batch, op.Constant(value_ints=[0, 0, -1]))

    return translated


def teach_coreml() -> None:
    """Register the operation with coremltools, as one `gru` for each direction."""
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - as its own documents call it
    from coremltools.converters.mil import register_torch_op
    from coremltools.converters.mil.frontend.torch.ops import _get_inputs

    def hiresldm_gru(context: Any, node: Any) -> None:
        x, *weights = _get_inputs(context, node, expected=4)
        by_time = mb.transpose(x=x, perm=[1, 0, 2])
        directions = list(zip(*(weight.val for weight in weights), strict=True))
        made = [
            _direction(mb, by_time, _widened(*values), way)
            for values, way in zip(directions, ("forward", "reverse"), strict=False)
        ]
        states = made[0] if len(made) == 1 else mb.concat(values=made, axis=2)
        context.add(mb.transpose(x=states, perm=[1, 0, 2], name=node.name))

    names = ["hiresldm::gru", "hiresldm.gru"]
    register_torch_op(hiresldm_gru, torch_alias=names, override=True)


def in_coreml(state: Arrays) -> Arrays:
    """A state dict whose GRU layers are there as Core ML files hold them."""
    layers = [
        key.removesuffix(".recurrence")
        for key, value in state.items()
        if key.endswith(".recurrence") and value.ndim == 3
    ]
    owned = {f"{layer}.{name}" for layer in layers for name in _WEIGHTS}
    kept = {key: value for key, value in state.items() if key not in owned}
    return kept | {key: value for layer in layers for key, value in _held(state, layer)}


def _held(state: Arrays, layer: str) -> Iterator[tuple[str, Array]]:
    directions = zip(*(state[f"{layer}.{name}"] for name in _WEIGHTS), strict=True)
    for index, values in enumerate(directions):
        for name, value in zip(_WEIGHTS, _widened(*values), strict=True):
            yield f"{layer}.{name}.{index}", value


def _direction(mb: Any, x: Any, weights: tuple[Array, Array, Array], way: str) -> Any:
    """Hidden states (T, B, H) of frames (T, B, inputs), that of the added unit cut off."""
    weight, recurrence, bias = weights
    hidden = recurrence.shape[1] - 1
    batch = mb.slice_by_index(x=mb.shape(x=x), begin=[1], end=[2])
    start = [
        mb.fill(shape=mb.concat(values=[batch, [count]], axis=0), value=value)
        for count, value in ((hidden, 0.0), (1, 1.0))
    ]
    states, _ = mb.gru(
        x=x,
        initial_h=mb.concat(values=start, axis=1),
        weight_ih=weight,
        weight_hh=recurrence,
        bias=bias,
        direction=way,
        output_sequence=True,
    )
    cut = {"begin": [0, 0, 0], "end": [0, 0, hidden], "end_mask": [True, True, False]}
    return mb.slice_by_index(x=states, **cut)


def _widened(weight: Array, recurrence: Array, bias: Array) -> tuple[Array, Array, Array]:
    """One direction with the added unit, gates in Core ML's order: reset, new, update."""
    update, reset, new, update_r, reset_r, new_r = np.split(bias, 6)
    last = (np.zeros_like(new_r), np.zeros_like(new_r), new_r)
    wide = [np.pad(gate, ((0, 1), (0, 0))) for gate in np.split(weight, 3)]
    square = [
        np.pad(np.column_stack([gate, column]), ((0, 1), (0, 0)))
        for gate, column in zip(np.split(recurrence, 3), last, strict=True)
    ]
    sums = ((update + update_r, _KEPT), (reset + reset_r, 0.0), (new, 0.0))
    added = [np.append(value, np.float32(own)) for value, own in sums]
    first, second, third = (
        np.concatenate([gates[1], gates[2], gates[0]]) for gates in (wide, square, added)
    )
    return first, second, third

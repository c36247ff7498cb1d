"""Every operation of the MIL executor against PyTorch, and the executor on programs of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hiresldm.core.errors import BackendMissingError, IntegrityError, UsageError
from hiresldm.core.spec import Artifact
from hiresldm.export.writers.mlpackage.convert import finish, unheard
from hiresldm.runtimes import on_coreml, on_mil
from hiresldm.runtimes.mil.ops import KERNELS

Case = tuple[dict[str, Any], Any]


class Draw:
    """Random shapes and tensors of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.batch, self.time, self.channels = (int(n) for n in self.rng.integers(2, 9, size=3))

    def tensor(self, *shape: int) -> Tensor:
        """Normal numbers."""
        return torch.from_numpy(self.rng.standard_normal(shape).astype(np.float32))

    @property
    def x(self) -> Tensor:
        """Normal numbers (batch, time, channels), others each time."""
        return self.tensor(self.batch, self.time, self.channels)


def ints(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def scalar(value: float) -> Tensor:
    return torch.tensor(value)


def pointwise(function: Callable[..., Tensor], names: str = "x") -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        drawn = [draw.x for _ in names]
        return dict(zip(names, drawn, strict=True)), function(*drawn)

    return case


def conv(draw: Draw) -> Case:
    """Depthwise, along one axis or two with other kernels, dilations and paddings."""
    c, dilation = draw.channels, int(draw.rng.integers(1, 4))
    layer: torch.nn.Conv1d | torch.nn.Conv2d
    if draw.rng.integers(2):
        layer = torch.nn.Conv1d(c, c, 7, groups=c, dilation=dilation, padding=3 * dilation)
        x = draw.tensor(draw.batch, c, draw.time)
    else:
        steps, paddings = (dilation, 1), (3 * dilation, 1)
        layer = torch.nn.Conv2d(c, c, (7, 3), groups=c, dilation=steps, padding=paddings)
        x = draw.tensor(draw.batch, c, draw.time, 5)
    paddings = layer.padding
    settings = {
        "strides": ints(*layer.stride),
        "pad_type": "custom",
        "pad": ints(*(side for size in paddings for side in (size, size))),
        "dilations": ints(*layer.dilation),
        "groups": ints(c)[0],
    }
    return {"x": x, "weight": layer.weight, "bias": layer.bias, **settings}, layer(x)


def linear(draw: Draw) -> Case:
    layer = torch.nn.Linear(draw.channels, 5)
    x = draw.x
    return {"x": x, "weight": layer.weight, "bias": layer.bias}, layer(x)


def conv_transpose(draw: Draw) -> Case:
    """In groups, along one axis or two, which it stretches."""
    c, layer = 2 * draw.channels, None
    if draw.rng.integers(2):
        layer = torch.nn.ConvTranspose1d(c, c, 5, 2, 2, groups=2)
        x = draw.tensor(draw.batch, c, draw.time)
    else:
        layer = torch.nn.ConvTranspose2d(c, c, (1, 5), (1, 2), (0, 2), groups=2)
        x = draw.tensor(draw.batch, c, draw.time, 5)
    settings = {
        "strides": ints(*layer.stride),
        "pad_type": "custom",
        "pad": ints(*(side for size in layer.padding for side in (size, size))),
        "dilations": ints(*layer.dilation),
        "groups": ints(2)[0],
    }
    return {"x": x, "weight": layer.weight, "bias": layer.bias, **settings}, layer(x)


def gru(draw: Draw) -> Case:
    """One direction of a GRU without the bias that Core ML lacks; gates in its order."""
    hidden = 4
    layer = torch.nn.GRU(draw.channels, hidden, bidirectional=True)
    x = draw.tensor(draw.time, draw.batch, draw.channels)
    way = ("forward", "reverse")[int(draw.rng.integers(2))]
    end = "_reverse" if way == "reverse" else ""
    with torch.no_grad():
        getattr(layer, f"bias_hh_l0{end}").zero_()
    (reset, update, new), (r, u, n), (b, c, d) = (
        getattr(layer, f"{name}_l0{end}").detach().chunk(3)
        for name in ("weight_ih", "weight_hh", "bias_ih")
    )
    states, last = layer(x)
    cut = slice(hidden, None) if end else slice(hidden)
    arguments = {
        "x": x,
        "initial_h": torch.zeros(draw.batch, hidden),
        "weight_ih": torch.cat([reset, new, update]),
        "weight_hh": torch.cat([r, n, u]),
        "bias": torch.cat([b, d, c]),
        "output_sequence": torch.tensor(True),
        "direction": way,
    }
    return arguments, (states[..., cut].detach(), last[1 if end else 0].detach())


def layer_norm(draw: Draw) -> Case:
    """Over the last axis or the last two."""
    x, axes = draw.x, (-1,) if draw.rng.integers(2) else (-2, -1)
    gamma, beta = (draw.tensor(*x.shape[-len(axes) :]) for _ in range(2))
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=0)
    expected = (x - mean) / torch.sqrt(variance + 1e-3) * gamma + beta
    arguments = {"axes": ints(*axes), "epsilon": scalar(1e-3), "gamma": gamma, "beta": beta}
    return {"x": x, **arguments}, expected


def concat(draw: Draw) -> Case:
    """One after the other, or in turns."""
    a, b, in_turns = draw.x, draw.x, bool(draw.rng.integers(2))
    expected = torch.cat([a, b], dim=-1)
    if in_turns:
        expected[..., ::2], expected[..., 1::2] = a, b
    arguments = {"values": [a, b], "axis": ints(-1)[0], "interleave": torch.tensor(in_turns)}
    return arguments, expected


def split(draw: Draw) -> Case:
    x = draw.tensor(draw.batch, 3 * draw.time)
    return {"x": x, "split_sizes": ints(*[draw.time] * 3), "axis": ints(1)[0]}, x.chunk(3, 1)


def slice_by_index(draw: Draw) -> Case:
    x = draw.x
    masks = {"end_mask": torch.tensor([True, False, True])}
    expected = x[:, 1:2]
    if draw.rng.integers(2):
        masks["squeeze_mask"], expected = torch.tensor([False, True, False]), x[:, 1]
    return {"x": x, "begin": ints(0, 1, 0), "end": ints(0, 2, 0), **masks}, expected


def avg_pool(draw: Draw) -> Case:
    x = draw.tensor(draw.batch, draw.channels, 2 * draw.time, 6)
    settings = {
        "kernel_sizes": ints(2, 3),
        "strides": ints(2, 3),
        "pad_type": "custom",
        "pad": ints(0, 0, 0, 0),
        "exclude_padding_from_average": torch.tensor(False),
        "ceil_mode": torch.tensor(False),
    }
    return {"x": x, **settings}, x.unflatten(3, (2, 3)).unflatten(2, (-1, 2)).mean((3, 5))


def batch_norm(draw: Draw) -> Case:
    x = draw.tensor(draw.batch, draw.channels, draw.time, 3)
    mean, gamma, beta = (draw.tensor(draw.channels) for _ in range(3))
    variance = draw.tensor(draw.channels).abs() + 0.1
    terms = (value[:, None, None] for value in (mean, (variance + 1e-3) ** -0.5, gamma, beta))
    subtracted, scale, gain, added = terms
    arguments = {"mean": mean, "variance": variance, "gamma": gamma, "beta": beta}
    return {"x": x, **arguments, "epsilon": scalar(1e-3)}, (x - subtracted) * scale * gain + added


def pad(draw: Draw) -> Case:
    """Of the last two axes, each side by another size; or the last one mirrored."""
    x = draw.x
    if draw.rng.integers(2):
        sides = {"pad": ints(0, 0, 0, 0, 1, 1), "mode": "reflect", "constant_val": scalar(0.0)}
        return {"x": x, **sides}, torch.cat([x[..., 1:2], x, x[..., -2:-1]], dim=-1)
    expected = torch.full((draw.batch, draw.time + 3, draw.channels + 4), 0.5)
    expected[:, 1:-2, :-4] = x
    sides = {"pad": ints(1, 2, 0, 4), "mode": "constant", "constant_val": scalar(0.5)}
    return {"x": x, **sides}, expected


def gather(draw: Draw) -> Case:
    """One index takes the axis away, two keep it."""
    x = draw.x
    indices = ints(1, 0) if draw.time % 2 else ints(1)[0]
    arguments = {"axis": ints(1)[0], "batch_dims": ints(0)[0], "validate_indices": scalar(0)}
    return {"x": x, "indices": indices, **arguments}, x[:, indices.long()]


def shape(draw: Draw) -> Case:
    return {"x": draw.x}, ints(draw.batch, draw.time, draw.channels)


def reshape(draw: Draw) -> Case:
    x = draw.tensor(draw.batch, 2 * draw.time, draw.channels)
    return {"x": x, "shape": ints(0, -1, 2 * draw.channels)}, x.unflatten(1, (-1, 2)).flatten(2)


def expand_dims(draw: Draw) -> Case:
    x = draw.x
    return {"x": x, "axes": ints(0, 2)}, x[None, :, None]


def transpose(draw: Draw) -> Case:
    x = draw.x
    return {"x": x, "perm": ints(0, 2, 1)}, x.transpose(1, 2)


def cast(draw: Draw) -> Case:
    x = 100 * draw.x
    return {"x": x, "dtype": "fp16"}, x.half().float()


def clip(draw: Draw) -> Case:
    x = draw.x
    return {"x": x, "alpha": scalar(-0.5), "beta": scalar(np.inf)}, x.clamp(min=-0.5)


def positive(function: Callable[[Tensor], Tensor], **settings: Tensor) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        x = draw.x.abs() + 0.1
        return {"x": x, **settings}, function(x)

    return case


def quantize(draw: Draw) -> Case:
    x, scale = draw.x, 0.011
    held = torch.fake_quantize_per_tensor_affine(x, scale, 0, -128, 127)
    arguments = {"input": x, "scale": scalar(scale), "output_dtype": "int8"}
    return arguments, (held / scale).round().to(torch.int8)


def dequantize(draw: Draw) -> Case:
    x, scale = draw.x, 0.011
    integers = (x / scale).round().clamp(-128, 127).to(torch.int8)
    held = torch.fake_quantize_per_tensor_affine(x, scale, 0, -128, 127)
    return {"input": integers, "scale": scalar(scale)}, held


def blockwise(draw: Draw) -> Case:
    data = torch.from_numpy(draw.rng.integers(-7, 8, (draw.channels, 4 * draw.time), np.int8))
    scale = draw.tensor(draw.channels, draw.time)
    blocks = data.unflatten(1, (draw.time, 4)) * scale[..., None]
    return {"data": data, "scale": scale}, blocks.flatten(1)


def palette(draw: Draw) -> Case:
    """Two groups of rows, each with its own palette."""
    indices = torch.from_numpy(draw.rng.integers(0, 16, (2 * draw.time, draw.channels), np.uint8))
    lut = draw.tensor(2, 1, 16, 1)
    halves = zip(lut[:, 0, :, 0], indices.long().chunk(2), strict=True)
    return {"indices": indices, "lut": lut}, torch.cat([table[rows] for table, rows in halves])


CASES: dict[str, Callable[[Draw], Case]] = {
    "abs": pointwise(lambda x: torch.maximum(x, -x)),
    "add": pointwise(torch.add, "xy"),
    "avg_pool": avg_pool,
    "batch_norm": batch_norm,
    "cast": cast,
    "clip": clip,
    "concat": concat,
    "constexpr_blockwise_shift_scale": blockwise,
    "constexpr_cast": lambda draw: (
        {"source_val": (x := draw.x).half(), "output_dtype": "fp32"},
        x.half().float(),
    ),
    "constexpr_lut_to_dense": palette,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "cos": pointwise(lambda x: torch.sin(x + torch.pi / 2)),
    "dequantize": dequantize,
    "elu": lambda draw: (
        {"x": (x := draw.x), "alpha": scalar(0.5)},
        torch.where(x > 0, x, 0.5 * (torch.exp(x) - 1)),
    ),
    "exp": pointwise(lambda x: torch.pow(torch.e, x)),
    "expand_dims": expand_dims,
    "fill": lambda draw: ({"shape": ints(2, 3), "value": scalar(0.5)}, torch.full((2, 3), 0.5)),
    "floor_div": lambda draw: ({"x": ints(7, -7), "y": ints(2)}, ints(3, -4)),
    "gather": gather,
    "gelu": lambda draw: ({"x": (x := draw.x), "mode": "EXACT"}, F.gelu(x)),
    "greater_equal": lambda draw: ({"x": ints(1, 2), "y": ints(2)}, torch.tensor([False, True])),
    "gru": gru,
    "layer_norm": layer_norm,
    "leaky_relu": lambda draw: (
        {"x": (x := draw.x), "alpha": scalar(0.2)},
        torch.where(x > 0, x, 0.2 * x),
    ),
    "linear": linear,
    "log": positive(lambda x: torch.log2(x + 0.1) / np.log2(np.e), epsilon=scalar(0.1)),
    "mul": pointwise(torch.mul, "xy"),
    "pad": pad,
    "quantize": quantize,
    "range_1d": lambda draw: (
        {"start": scalar(0.0), "end": scalar(3.0), "step": scalar(1.0)},
        torch.tensor([0.0, 1.0, 2.0]),
    ),
    "real_div": pointwise(torch.div, "xy"),
    "reduce_mean": lambda draw: (
        {"x": (x := draw.x), "axes": ints(1), "keep_dims": torch.tensor(True)},
        x.sum(1, keepdim=True) / draw.time,
    ),
    "relu": pointwise(lambda x: x.clamp(min=0)),
    "reshape": reshape,
    "rsqrt": positive(lambda x: (x + 0.2) ** -0.5, epsilon=scalar(0.2)),
    "select": lambda draw: (
        {"cond": torch.tensor([True, False]), "a": ints(1, 2), "b": ints(3, 4)},
        ints(1, 4),
    ),
    "shape": shape,
    "sigmoid": pointwise(lambda x: 1 / (1 + torch.exp(-x))),
    "silu": pointwise(lambda x: x * torch.sigmoid(x)),
    "sin": pointwise(lambda x: torch.cos(x - torch.pi / 2)),
    "slice_by_index": slice_by_index,
    "softplus": pointwise(lambda x: torch.log1p(torch.exp(x))),
    "split": split,
    "sqrt": positive(lambda x: x**0.5),
    "squeeze": lambda draw: ({"x": (x := draw.x)[:, :1, None], "axes": ints(1, 2)}, x[:, 0]),
    "stack": lambda draw: (
        {"values": [(x := draw.x), (y := draw.x)], "axis": ints(1)[0]},
        torch.cat([x[:, None], y[:, None]], dim=1),
    ),
    "sub": pointwise(torch.sub, "xy"),
    "tanh": pointwise(lambda x: 2 / (1 + torch.exp(-2 * x)) - 1),
    "transpose": transpose,
}


@pytest.mark.parametrize("kind", KERNELS)
def test_an_operation_computes_what_pytorch_computes(kind: str):
    for seed in range(5):
        torch.manual_seed(seed)
        arguments, expected = CASES[kind](Draw(seed))
        torch.testing.assert_close(KERNELS[kind](**arguments), expected)


def save_program(function: Callable[..., Any], path: Path, *shape: int, half: bool = False):
    """A package of one input x, written with coremltools' builder."""
    with unheard():
        import coremltools as ct
        from coremltools.converters.mil.mil import Builder, types

        dtype = types.fp16 if half else types.fp32
        spec = Builder.TensorSpec(shape=shape, dtype=dtype)
        program = Builder.program(input_specs=[spec], opset_version=ct.target.iOS18)(
            lambda x: function(Builder, x)
        )
        finish(program).save(str(path))
    return Artifact("toy", "coreml", "fp16", path.name, "", ("x",), ("y",), {})


def test_fp16_results_are_rounded_after_every_operation(tmp_path: Path):
    def program(mb: Any, x: Any) -> Any:
        half = mb.cast(x=x, dtype="fp16")
        grown = mb.add(x=half, y=np.float16(2048.0))
        return mb.cast(x=mb.sub(x=grown, y=np.float16(2048.0)), dtype="fp32", name="y")

    artifact = save_program(program, tmp_path / "toy.mlpackage", 3)
    x = np.array([0.3, 1.3, 3.0], np.float32)
    got = on_mil.load(artifact, tmp_path, threads=1)({"x": x})["y"]
    assert got.tolist() == [0.0, 2.0, 4.0]  # fp16 counts in twos above 2048
    trace = on_mil.trace(artifact, tmp_path, {"x": x})
    assert [kind for _, kind, _ in trace] == ["cast", "add", "sub", "cast"]
    np.testing.assert_array_equal(trace[-1][2], got)


def test_an_unknown_operation_is_named_when_the_package_is_opened(tmp_path: Path):
    artifact = save_program(lambda mb, x: mb.erf(x=x, name="y"), tmp_path / "toy.mlpackage", 3)
    with pytest.raises(UsageError, match="'y' is of type erf"):
        on_mil.load(artifact, tmp_path, threads=1)


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path):
    artifact = save_program(lambda mb, x: mb.relu(x=x, name="y"), tmp_path / "toy.mlpackage", 2, 3)
    run = on_mil.load(artifact, tmp_path, threads=1)
    for wrong in ({}, {"x": np.zeros((2, 3))}, {"x": np.zeros((2, 4), np.float32)}):
        with pytest.raises(UsageError, match="toy takes"):
            run(wrong)


def test_a_package_that_cannot_be_read_is_an_integrity_error(tmp_path: Path):
    artifact = save_program(lambda mb, x: mb.relu(x=x, name="y"), tmp_path / "toy.mlpackage", 3)
    (tmp_path / "toy.mlpackage/Data/com.apple.CoreML/model.mlmodel").write_bytes(b"no model")
    with pytest.raises(IntegrityError, match=r"toy\.mlpackage"):
        on_mil.load(artifact, tmp_path, threads=1)


@pytest.mark.skipif("sys.platform == 'darwin'", reason="here the engine itself is missing")
def test_core_ml_itself_says_that_it_needs_macos(tmp_path: Path):
    artifact = Artifact("toy", "coreml", "fp16", "toy.mlpackage", "", ("x",), ("y",), {})
    with pytest.raises(BackendMissingError, match="macOS"):
        on_coreml.load(artifact, tmp_path, threads=1)

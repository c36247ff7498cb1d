"""ONNX: one graph per part, reading its weights from the checkpoint file that lies beside it.

The graph computes in float32. Its large weights are not copied into it: each is an external tensor
that points into `<part>.safetensors`, so a bundle holds every weight once, for PyTorch and ONNX
alike, and what the checkpoint stores as fp16 is widened by a Cast when a session opens.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ExportError, ParityError, UsageError
from ..core.frontend import FrontEnd
from ..core.manifest import sha256_of
from ..core.metrics import snr_db
from ..core.spec import Artifact, Component, Dim, File, Precision

FORMAT = "onnx"
PRECISIONS = (Precision.FP32,)
OPSET = 20
NEVER_IN_GRAPH = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "STFT")
INLINE_BYTES = 1024
"""Weights below this size stay in the graph: pointing at them would cost more than they do."""


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in a safetensors file."""

    dtype: str
    offset: int
    length: int


def export(
    component: Component, module: Any, precision: Precision, out: Path, *, front: FrontEnd
) -> Artifact:
    """Write `<part>.onnx` into `out`, where `<part>.safetensors` with the module's weights lies.

    Raises `UsageError` for a precision this format does not offer and `ParityError` where the
    written file does not compute what the traced graph computes.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"onnx: no precision '{precision}'; there is {', '.join(PRECISIONS)}")
    import onnx

    traced = _trace(component, module)
    simplified, applied = _simplify(onnx.load_from_string(traced))
    _refuse(simplified, NEVER_IN_GRAPH)
    weights = out / f"{component.name}.safetensors"
    _point_at(simplified, weights, module)
    _describe(simplified, component, front)
    path = out / f"{component.name}.onnx"
    onnx.save(simplified, path)
    onnx.checker.check_model(path, full_check=True)
    _gate(traced, path, component)
    return Artifact(
        component=component.name,
        format=FORMAT,
        precision=precision,
        path=path.name,
        sha256=sha256_of(path),
        inputs=tuple(tensor.name for tensor in component.inputs),
        outputs=tuple(tensor.name for tensor in component.outputs),
        tools={name: version(name) for name in ("torch", "onnx", "onnxscript", *applied)},
        data=(File(weights.name, sha256_of(weights)),),
    )


def _trace(component: Component, module: Any) -> bytes:
    """The graph as the exporter makes it, self-contained."""
    import torch

    dims: dict[str, Any] = {}
    sample = component.sample(frames=50, seed=0)
    with warnings.catch_warnings():
        # torch's exporter warns of its own deprecated calls and of inputs that share an axis.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(torch.from_numpy(sample[tensor.name]) for tensor in component.inputs),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=[tensor.name for tensor in component.inputs],
            output_names=[tensor.name for tensor in component.outputs],
            dynamic_shapes=tuple(_dynamic(tensor.shape, dims) for tensor in component.inputs),
            verbose=False,
        )
    if program is None:  # torch returns None only where it writes the file itself
        raise ExportError(f"{component.name}: torch gave no ONNX program")
    model = program.model_proto
    _strip(model)
    return bytes(model.SerializeToString())


def _strip(model: Any) -> None:
    """Drop the exporter's stack traces: they hold paths of the machine that built the graph."""
    for node in model.graph.node:
        scope = [prop for prop in node.metadata_props if prop.key == "pkg.torch.onnx.name_scopes"]
        _replace(node.metadata_props, scope)


def _dynamic(shape: tuple[int | Dim | tuple[int, Dim], ...], dims: dict[str, Any]) -> Any:
    """`Dim`s in torch's words; one torch Dim for each name, so that inputs share it."""
    from torch.export import Dim as TorchDim

    axes: dict[int, Any] = {}
    for index, axis in enumerate(shape):
        if isinstance(axis, int):
            continue
        multiple, dim = axis if isinstance(axis, tuple) else (1, axis)
        own = dims.setdefault(dim.name, TorchDim(dim.name, min=dim.low, max=dim.high))
        axes[index] = own if multiple == 1 else multiple * own
    return axes


def _simplify(model: Any) -> tuple[Any, tuple[str, ...]]:
    """The graph after onnxsim where that made it smaller, else as it was, and what was applied."""
    import onnxsim

    simplified, equal = onnxsim.simplify(model)
    if equal and len(simplified.graph.node) < len(model.graph.node):
        return simplified, ("onnxsim",)
    return model, ()


def _refuse(model: Any, names: tuple[str, ...]) -> None:
    found = {node.op_type for node in model.graph.node} & set(names)
    if found:
        raise UsageError(
            f"onnx: the graph holds {', '.join(sorted(found))}, which the host must do"
        )


def _point_at(model: Any, weights: Path, module: Any) -> None:
    """Replace the module's weights in the graph by references into the checkpoint."""
    import onnx
    from onnx import numpy_helper

    stored = stored_tensors(weights)
    values = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    kept, casts = [], []
    for initializer in model.graph.initializer:
        value = numpy_helper.to_array(initializer)
        if value.nbytes < INLINE_BYTES or not _same(value, values.get(initializer.name)):
            kept.append(initializer)
            continue
        reference = _reference(initializer.name, value, stored[initializer.name], weights.name)
        if reference.data_type != onnx.TensorProto.FLOAT:
            reference.name = f"{initializer.name}.stored"
            casts.append(
                onnx.helper.make_node(
                    "Cast", [reference.name], [initializer.name], to=onnx.TensorProto.FLOAT
                )
            )
        kept.append(reference)
    _replace(model.graph.initializer, kept)
    _replace(model.graph.node, [*casts, *model.graph.node])


def _same(value: np.ndarray, weight: np.ndarray | None) -> bool:
    return weight is not None and value.shape == weight.shape and bool((value == weight).all())


def _reference(name: str, value: np.ndarray, stored: Stored, location: str) -> Any:
    import onnx

    types = {"F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
    tensor = onnx.TensorProto(name=name, data_type=types[stored.dtype], dims=value.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    facts = {"location": location, "offset": stored.offset, "length": stored.length}
    for key, fact in facts.items():
        tensor.external_data.add(key=key, value=str(fact))
    return tensor


def _replace(repeated: Any, items: list[Any]) -> None:
    copies = [item.__class__.FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(copies)


def stored_tensors(path: Path) -> Mapping[str, Stored]:
    """Byte ranges of the tensors of a safetensors file: 8 bytes of length, JSON, then data."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: Stored(
            entry["dtype"],
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def _describe(model: Any, component: Component, front: FrontEnd) -> None:
    """Write the audio contract into the graph, where a host without the manifest can read it."""
    import onnx

    facts = {
        "component": component.name,
        "sample_rate": front.sample_rate_hz,
        "n_fft": front.n_fft,
        "hop_length": front.hop,
        "window": "hann_periodic",
        "spectrum_layout": "real_then_imaginary",
        "spectrum_compression": front.compression,
        "mel_bands": front.mel_bands,
        "loudness_lufs": front.loudness_lufs,
        "latent_hop": front.latent_hop,
    }
    onnx.helper.set_model_props(model, {key: str(value) for key, value in facts.items()})
    model.producer_name = "hiresldm"


def _gate(traced: bytes, path: Path, component: Component) -> None:
    """Compare the file as written with the graph as traced, at a length that was not traced."""
    import onnxruntime as ort

    sample = dict(component.sample(frames=37, seed=1))
    expected, got = (
        ort.InferenceSession(source, providers=["CPUExecutionProvider"]).run(None, sample)[0]
        for source in (traced, path)
    )
    value_db, floor_db = snr_db(expected, got), component.floor_db[Precision.FP32]
    if not value_db >= floor_db:
        raise ParityError(
            f"{path}: {value_db:.1f} dB from the traced graph; accepted: {floor_db:.0f} dB or more"
        )

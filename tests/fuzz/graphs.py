"""The smallest bundle and the smallest Core ML package that have everything a loader reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.family import as_json
from hiresldm.core.signal import noise
from hiresldm.core.spec import Artifact, File
from hiresldm.export.writers.mlpackage.convert import finish, unheard
from hiresldm.families.hiresldm.frontend import FrontEnd
from hiresldm.families.hiresldm.host import Host

ENCODER = "encoder.onnx"
PACKAGE_INPUT = (4, 64)
_WEIGHTS = "encoder.bin"
_FRONT = FrontEnd()
_PAIRS, _BANDS, _LATENT = 2 * _FRONT.bins, _FRONT.mel_bands, _FRONT.latent_channels
_SIGNATURES = {
    "recovery": ({"spectrum": _PAIRS}, {"recovered": _PAIRS}),
    "encoder": ({"log_mel": _BANDS}, {"latent": _LATENT}),
    "denoiser": ({"noisy": _LATENT, "condition": _LATENT, "time": 0}, {"clean": _LATENT}),
    "decoder": ({"latent": _LATENT, "recovered": _PAIRS}, {"restored": _PAIRS}),
}
_PASSED = {"recovery": "spectrum", "denoiser": "condition", "decoder": "recovered"}
"""What components without weights give back."""


def write_bundle(folder: Path) -> None:
    """A bundle of ONNX graphs: three that pass on an input, and an encoder with weights beside."""
    import onnx

    rng = np.random.default_rng(0)
    weights = rng.standard_normal((2 * _BANDS, _LATENT)).astype(np.float32)
    (folder / _WEIGHTS).write_bytes(weights.tobytes())
    for component in _SIGNATURES:
        onnx.save(_graph(component), folder / f"{component}.onnx")
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """The manifest of the bundle as its files are now."""
    artifacts = tuple(_artifact(component, folder) for component in _SIGNATURES)
    digest = noise.golden_hash()
    host = as_json(Host(_FRONT).offering([1], 1))
    bundles.save(bundles.Manifest("hiresldm", "toy", host, digest, artifacts), folder)


def message() -> Any:
    """An empty ONNX model."""
    import onnx

    return onnx.ModelProto()


def specification() -> Any:
    """An empty Core ML model."""
    with unheard():
        from coremltools.proto.Model_pb2 import Model

    return Model()


def packaged(path: Path) -> Artifact:
    """The package as a manifest would list it."""
    return Artifact("toy", "coreml", "fp16", path.name, "", ("x",), ("y",), {})


def write_package(path: Path) -> None:
    """A package with weights of three kinds: float32, integers with scales, a palette."""
    with unheard():
        import coremltools as ct
        from coremltools.converters.mil.mil import Builder

        spec = Builder.TensorSpec(shape=PACKAGE_INPUT)

        @Builder.program(input_specs=[spec], opset_version=ct.target.iOS18)  # type: ignore[untyped-decorator]
        def toy(x: Any) -> Any:
            rng = np.random.default_rng(0)
            integers = rng.integers(-8, 8, (64, 64)).astype(np.int8)
            scale = np.full((64, 1), 0.1, np.float32)
            indices = rng.integers(0, 4, (64, 64)).astype(np.uint8)
            palette = rng.standard_normal((1, 1, 256, 1)).astype(np.float32)
            first = Builder.constexpr_blockwise_shift_scale(data=integers, scale=scale)
            second = Builder.constexpr_lut_to_dense(indices=indices, lut=palette)
            third = rng.standard_normal((64, 64)).astype(np.float32)
            for weight in (first, second, third):
                x = Builder.linear(x=x, weight=weight, bias=np.zeros(64, np.float32))
            return Builder.relu(x=x, name="y")

        finish(toy).save(str(path))


def _artifact(component: str, folder: Path) -> Artifact:
    path, (inputs, outputs) = f"{component}.onnx", _SIGNATURES[component]
    digest = bundles.sha256_of(folder / path)
    beside = (
        [File(_WEIGHTS, bundles.sha256_of(folder / _WEIGHTS))] if component == "encoder" else []
    )
    names = tuple(inputs), tuple(outputs)
    return Artifact(component, "onnx", "fp32", path, digest, *names, {}, tuple(beside))


def _graph(component: str) -> Any:
    from onnx import TensorProto, helper

    inputs, outputs = _SIGNATURES[component]

    def declared(name: str, size: int) -> Any:
        shape = [1, None, size] if size else [1]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    (output,) = outputs
    nodes, weights = _encoder() if component == "encoder" else (
        [helper.make_node("Identity", [_PASSED[component]], [output])], [])  # fmt: skip
    made = helper.make_graph(
        nodes,
        component,
        [declared(*item) for item in inputs.items()],
        [declared(*item) for item in outputs.items()],
        weights,
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(made, opset_imports=opset, ir_version=8)


def _encoder() -> tuple[list[Any], list[Any]]:
    """Two frames of the spectrum side by side, times weights that lie outside of the graph."""
    from onnx import TensorProto, helper

    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [1, -1, 2 * _BANDS])
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[2 * _BANDS, _LATENT])
    weight.data_location = TensorProto.EXTERNAL
    facts = {"location": _WEIGHTS, "offset": "0", "length": str(8 * _BANDS * _LATENT)}
    for key, fact in facts.items():
        weight.external_data.add(key=key, value=fact)
    pair = helper.make_node("Reshape", ["log_mel", "shape"], ["pairs"])
    return [pair, helper.make_node("MatMul", ["pairs", "weight"], ["latent"])], [shape, weight]

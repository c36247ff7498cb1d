"""One component in every format: the same integers in all files, each near PyTorch and small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from export_jobs import job_of
from onnx import numpy_helper

from hiresldm.calibration.layers import quantizable
from hiresldm.calibration.quantize import quantized
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Component, Exporter, ExportJob, Runtime
from hiresldm.export.writers import to_coreml, to_onnx, to_openvino, to_ort
from hiresldm.export.writers.onnx_graph.integers import STATIC
from hiresldm.families.checkpoints import save_component
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_mil, on_openvino, on_ort, on_torch

FRAMES = 64
has_bfloat16 = "BF16" in on_openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bfloat16 = pytest.mark.skipif(not has_bfloat16, reason="this CPU has no bfloat16")
FLOORS = [
    (Precision.FP32, 90.0, 1.1),
    (Precision.FP16, 45.0, 0.55),
    pytest.param(Precision.BF16, 30.0, 0.55, marks=needs_bfloat16),
    (Precision.INT8, 30.0, 0.30),
    (Precision.INT4, 10.0, 0.20),
    (Precision.W8A8, 30.0, 0.30),
]


@pytest.fixture(scope="module")
def encoder(embedded: Model) -> Component:
    return next(c for c in embedded.components if c.name == "encoder")


def job(model: Model, encoder: Component, precision: Precision, out: Path) -> ExportJob:
    integers = quantized("encoder", model.encoder, precision, {})
    samples = [encoder.sample(FRAMES, seed=5)]
    return job_of(model, "encoder", precision, out, integers, samples)


def parity_db(model: Model, made: ExportJob, exporter: Exporter, runtime: Runtime) -> float:
    artifact = exporter.export(made)
    sample = made.component.sample(FRAMES, seed=6)
    (wanted,) = on_torch.runner(made.component, model.encoder)(sample).values()
    (got,) = runtime.load(artifact, made.out, threads=1)(sample).values()
    mel_bands = sample["log_mel"].shape[-1]
    assert runtime.shapes(artifact, made.out)["log_mel"] == (1, None, mel_bands)
    return snr_db(wanted, got)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT4])
def test_files_of_all_formats_hold_the_integers_that_were_made_once(
    embedded: Model, encoder: Component, tmp_path: Path, precision: Precision
):
    made = job(embedded, encoder, precision, tmp_path)
    assert made.quantized.keys() == {f"{path}.weight" for path in quantizable(embedded.encoder)}
    for exporter in (to_onnx, to_openvino, to_coreml):
        held = exporter.read_integers(tmp_path / exporter.export(made).path)
        assert held.keys() == made.quantized.keys()
        for name, weight in made.quantized.items():
            np.testing.assert_array_equal(weight.integers, held[name])


def test_static_onnx_holds_the_same_integers_and_computes_boundary_layers_in_float(
    embedded: Model, encoder: Component, tmp_path: Path
):
    made = job(embedded, encoder, Precision.W8A8, tmp_path)
    path = tmp_path / to_onnx.export(made).path
    held = to_onnx.read_integers(path)
    assert held.keys() == made.quantized.keys()
    for name, weight in made.quantized.items():
        np.testing.assert_array_equal(weight.integers, held[name])
    stored = [tensor.name for tensor in onnx.load(path).graph.initializer]
    static = {name.removesuffix(STATIC) for name in stored if name.endswith(STATIC)}
    assert static == {name for name in held if not encoder.at_boundary(name)}
    assert {name for name in held if encoder.at_boundary(name)} == {"embed.weight", "head.weight"}


def test_dynamic_onnx_holds_the_same_integers_and_multiplies_them(
    embedded: Model, encoder: Component, tmp_path: Path
):
    made = job(embedded, encoder, Precision.INT8_DYNAMIC, tmp_path)
    assert parity_db(embedded, made, to_onnx, on_ort) > 30
    (path,) = tmp_path.glob("*.onnx")
    held = to_onnx.read_integers(path)
    assert held.keys() == made.quantized.keys()
    for name, weight in made.quantized.items():
        np.testing.assert_array_equal(weight.integers, held[name])
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("MatMulInteger") == len(held) and "DequantizeLinear" not in kinds
    assert path.stat().st_size < 0.27 * 4 * sum(p.numel() for p in embedded.encoder.parameters())


def test_dynamic_onnx_beside_a_checkpoint_holds_no_weights_and_an_engine_makes_the_integers(
    embedded: Model, encoder: Component, tmp_path: Path
):
    checkpoint = tmp_path / "encoder.safetensors"
    save_component(embedded.encoder, embedded.config, checkpoint, torch.float16)
    made = replace(job(embedded, encoder, Precision.INT8_DYNAMIC, tmp_path), checkpoint=checkpoint)
    assert parity_db(embedded, made, to_onnx, on_ort) > 30
    (path,) = tmp_path.glob("*.onnx")
    assert path.stat().st_size < 100_000
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized")
    options.log_severity_level = 3  # it warns that the file suits this machine alone
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "optimized").graph
    tensors = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    computed = {value.tobytes() for value in tensors if value.dtype == np.int8}
    assert {weight.integers.tobytes() for weight in made.quantized.values()} <= computed
    # The scales of residual branches are in those of the integers.
    assert "Mul" not in {node.op_type for node in graph.node}


@pytest.mark.parametrize(("precision", "floor_db", "of_fp32"), FLOORS)
def test_openvino_is_near_pytorch_and_as_small_as_it_says(
    embedded: Model,
    encoder: Component,
    tmp_path: Path,
    precision: Precision,
    floor_db: float,
    of_fp32: float,
):
    made = job(embedded, encoder, precision, tmp_path)
    assert parity_db(embedded, made, to_openvino, on_openvino) >= floor_db
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size <= of_fp32 * 4 * sum(p.numel() for p in embedded.encoder.parameters())


@pytest.mark.parametrize(
    ("exporter", "runtime"),
    [(to_onnx, on_ort), (to_coreml, on_mil)],
    ids=["onnx", "coreml"],
)
def test_w8a8_is_near_pytorch(
    embedded: Model, encoder: Component, tmp_path: Path, exporter: Exporter, runtime: Runtime
):
    made = job(embedded, encoder, Precision.W8A8, tmp_path)
    assert parity_db(embedded, made, exporter, runtime) >= 30.0


def test_ort_files_run_and_list_the_operators_of_a_minimal_build(
    embedded: Model, encoder: Component, tmp_path: Path
):
    made = job(embedded, encoder, Precision.INT8, tmp_path)
    assert parity_db(embedded, made, to_ort, on_ort) >= 30.0
    graph, operators = sorted(tmp_path.iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (graph.suffix, operators.suffix) == (".ort", ".config")
    assert graph.read_bytes()[4:8] == b"ORTM"  # the mark of the format
    listed = operators.read_text(encoding="utf-8")
    assert "DequantizeLinear" in listed
    assert "/" not in listed.replace("://", "")  # no path of the machine that built it

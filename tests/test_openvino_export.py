"""OpenVINO files hold the integers that ONNX files hold, and compute what PyTorch computes."""

from pathlib import Path

import numpy as np
import pytest

from hiresldm.core.metrics import snr_db
from hiresldm.core.spec import Component, ExportJob, Precision
from hiresldm.export import to_onnx, to_openvino
from hiresldm.export.quantize import quantized
from hiresldm.reference.components import components
from hiresldm.reference.model import Model, load
from hiresldm.runtimes import on_openvino, on_torch
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


@pytest.fixture(scope="module")
def model() -> Model:
    return load(EMBEDDED_BUNDLE)


@pytest.fixture(scope="module")
def encoder(model: Model) -> Component:
    return next(c for c in components(model.config) if c.name == "encoder")


def job(model: Model, encoder: Component, precision: Precision, out: Path) -> ExportJob:
    integers = quantized("encoder", model.encoder, precision, {})
    samples = [encoder.sample(40, seed=5)]
    return ExportJob(encoder, model.encoder, precision, out, model.config.front, integers, samples)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT4])
def test_openvino_and_onnx_hold_the_same_integers(
    model: Model, encoder: Component, tmp_path: Path, precision: Precision
):
    wanted = job(model, encoder, precision, tmp_path)
    ours = to_openvino.read_integers(tmp_path / to_openvino.export(wanted).path)
    theirs = to_onnx.read_integers(tmp_path / to_onnx.export(wanted).path)
    assert ours.keys() == theirs.keys() == wanted.quantized.keys()
    for name in ours:
        np.testing.assert_array_equal(theirs[name], ours[name])


@pytest.mark.parametrize(
    ("precision", "floor_db", "of_fp32"),
    [
        (Precision.FP32, 90.0, 1.1),
        (Precision.FP16, 45.0, 0.55),
        (Precision.INT8, 30.0, 0.30),
        (Precision.INT4, 10.0, 0.20),
        (Precision.W8A8, 10.0, 0.30),
    ],
)
def test_a_part_is_near_pytorch_and_as_small_as_it_says(
    model: Model,
    encoder: Component,
    tmp_path: Path,
    precision: Precision,
    floor_db: float,
    of_fp32: float,
):
    artifact = to_openvino.export(job(model, encoder, precision, tmp_path))
    sample = encoder.sample(33, seed=6)
    wanted = on_torch.runner(encoder, model.encoder)(sample)["latent"]
    got = on_openvino.load(artifact, tmp_path, threads=1)(sample)["latent"]
    assert snr_db(wanted, got) >= floor_db
    size = sum((tmp_path / file.path).stat().st_size for file in artifact.files)
    assert size <= of_fp32 * 4 * sum(p.numel() for p in model.encoder.parameters())

"""A GRU with any number of frames in every format, and torch's own, which fixes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import ExportError, ParityError
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Array, Artifact, Component, Dim, ExportJob
from hiresldm.core.spec import Tensor as Port
from hiresldm.export.writers import to_coreml, to_onnx, to_openvino
from hiresldm.families.gru import OPERATION, Gru, replaced
from hiresldm.runtimes import on_mil, on_openvino, on_ort, on_torch

FRAMES = Dim("frames", low=2, high=100, example=50)
COMPONENT = Component(
    "recurrent",
    (Port("x", (1, FRAMES, 5)),),
    (Port("y", (1, FRAMES, 14)),),
    operations=(OPERATION,),
)


class Network(nn.Module):
    """Two layers in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 7, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        made: Tensor = self.gru(x)[0]
        return made


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(1)
    return Network().eval()


@pytest.fixture(scope="module")
def replacing(network: Network) -> nn.Module:
    """The same with the toolkit's layers."""
    ours = Network()
    ours.load_state_dict(network.state_dict())
    return replaced(ours).eval()


def job(module: nn.Module, precision: Precision, out: Path) -> ExportJob:
    return ExportJob(COMPONENT, module, precision, out, {}, 40.0, None)


def worst_db(network: nn.Module, artifact: Artifact, out: Path, engine: object) -> float:
    run = engine.load(artifact, out, threads=1)  # type: ignore[attr-defined]
    wanted = on_torch.runner(COMPONENT, network)
    samples = [COMPONENT.sample(frames, seed=frames) for frames in (2, 31, 77)]
    return min(snr_db(wanted(sample)["y"], run(sample)["y"]) for sample in samples)


def test_it_computes_what_torch_computes(network: nn.Module, replacing: nn.Module):
    x = torch.randn(3, 20, 5)
    torch.testing.assert_close(replacing(x), network(x))
    assert sum(isinstance(layer, Gru) for layer in replacing.modules()) == 2


def test_onnx_and_openvino_take_any_number_of_frames(
    network: nn.Module, replacing: nn.Module, tmp_path: Path
):
    onnx = to_onnx.export(job(replacing, Precision.FP16, tmp_path))
    assert worst_db(network, onnx, tmp_path, on_ort) >= 45.0
    openvino = to_openvino.export(job(replacing, Precision.FP32, tmp_path))
    assert worst_db(network, openvino, tmp_path, on_openvino) >= 100.0


@pytest.mark.parametrize(("precision", "floor_db"), [("fp32", 100.0), ("fp16", 45.0)])
def test_core_ml_takes_any_number_of_frames(
    network: nn.Module, replacing: nn.Module, tmp_path: Path, precision: str, floor_db: float
):
    package = to_coreml.export(job(replacing, Precision(precision), tmp_path))
    assert worst_db(network, package, tmp_path, on_mil) >= floor_db


def test_core_ml_files_are_searched_for_its_weights(
    replacing: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    widened = to_coreml.operations.KNOWN[OPERATION]._widened  # type: ignore[attr-defined]
    calls: list[None] = []

    def altering(*values: Array) -> tuple[Array, Array, Array]:
        weight, recurrence, bias = widened(*values)
        if not calls:  # what is written, and not what is looked for later
            weight = weight + np.float32(1e-3)
        calls.append(None)
        return weight, recurrence, bias

    monkeypatch.setattr(to_coreml.operations.KNOWN[OPERATION], "_widened", altering)
    with pytest.raises(ParityError, match="holds other values"):
        to_coreml.export(job(replacing, Precision.FP32, tmp_path))


@pytest.mark.parametrize("writer", [to_onnx, to_coreml], ids=["onnx", "coreml"])
def test_torchs_own_is_refused_by_the_name_of_its_component(
    network: nn.Module, tmp_path: Path, writer: object
):
    with pytest.raises(ExportError, match="recurrent"):
        writer.export(job(network, Precision.FP16, tmp_path))  # type: ignore[attr-defined]

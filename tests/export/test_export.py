"""What is exported computes what PyTorch computes: each component, and the whole pipeline."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from export_jobs import floor_db, job_of

from hiresldm import families
from hiresldm.cli.main import main
from hiresldm.core.bundle import manifest as bundles
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.bundle.weights import stored_tensors, weights_file
from hiresldm.core.errors import ExportError, ParityError
from hiresldm.core.restorer import Restorer as CoreRestorer
from hiresldm.core.signal.metrics import snr_db
from hiresldm.core.spec import Component, Dim, ExportJob, Tensor
from hiresldm.export.build.gate import Measured, dominated
from hiresldm.export.writers import to_onnx
from hiresldm.export.writers.onnx_graph import fp16 as onnx_fp16
from hiresldm.export.writers.tracing import NEVER_IN_GRAPH, trace
from hiresldm.families.hiresldm.components import NAMES as COMPONENTS
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes import on_ort, on_torch
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer

MANIFEST = bundles.load(EMBEDDED_BUNDLE)
ARTIFACTS = {a.component: a for a in MANIFEST.artifacts if a.format == "onnx"}


@pytest.fixture(scope="module")
def model(embedded: Model) -> Model:
    return embedded


@pytest.fixture(scope="module")
def encoder(model: Model) -> Component:
    return next(c for c in model.components if c.name == "encoder")


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("frames", [1, 33, 412], ids="{}-frames".format)
def test_a_component_matches_pytorch_at_lengths_that_were_not_traced(
    model: Model, component: str, frames: int
):
    declared = next(c for c in model.components if c.name == component)
    inputs = declared.sample(frames, seed=frames)
    if "time" in inputs:
        inputs["time"] = np.array([0.37], np.float32)
    expected = on_torch.runner(declared, model.get_submodule(component))(inputs)
    got = on_ort.load(ARTIFACTS[component], EMBEDDED_BUNDLE, threads=1)(inputs)
    for name, value in expected.items():
        assert got[name].shape == value.shape
        assert snr_db(value, got[name]) >= floor_db(component, Precision.FP32)


def test_the_whole_pipeline_matches_pytorch_on_real_speech(model: Model, noisy: np.ndarray):
    reference = CoreRestorer(on_torch.runners(model), families.of(MANIFEST)[1])
    for samples in (4_801, 100_003, len(noisy)):
        wave = noisy[:samples]
        restored = Restorer.load(precision="fp32", threads=1)(wave, 48_000, seed=3)
        assert snr_db(reference(wave, 48_000, seed=3), restored) >= 90.0


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_graph_is_clean_described_and_holds_no_weights_of_its_own(component: str):
    path = EMBEDDED_BUNDLE / ARTIFACTS[component].path
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path, load_external_data=False)
    facts = {prop.key: prop.value for prop in graph.metadata_props}
    assert facts["component"] == component
    assert (facts["family"], facts["sample_rate_hz"], facts["hop"]) == ("hiresldm", "48000", "480")
    assert not {node.op_type for node in graph.graph.node} & set(NEVER_IN_GRAPH)
    assert path.stat().st_size < 300_000
    assert b".py" not in path.read_bytes()  # no source paths of the machine that built it


def test_a_build_is_reported_and_its_names_and_sizes_are_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "bundle"
    options = ["--components", "encoder", "--precisions", "fp32,int8,int4", "--json", "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(["build", str(out), *options])
    assert ended.value.code == 0
    rows = {row["precision"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["int8"]["of_fp32"] <= 0.30
    assert rows["int4"]["of_fp32"] <= 0.20
    assert rows["fp32"]["parity_db"] >= 90 > rows["int8"]["parity_db"] > rows["int4"]["parity_db"]
    manifest = bundles.load(out)
    bundles.verify(manifest, out)
    gates = {a.precision: dict(a.gate) for a in manifest.artifacts if a.format == "onnx"}
    assert gates["int8"] == {"parity_db": round(rows["int8"]["parity_db"], 1), "floor_db": 25.0}
    with pytest.raises(SystemExit):
        main(["inspect", str(out)])
    assert f"| {gates['int8']['parity_db']:g} dB (of 25) |" in capsys.readouterr().out
    listed = {file.path: file.sha256 for a in manifest.artifacts for file in a.files}
    listed[manifest.golden.path] = manifest.golden.sha256
    assert {path.name for path in out.iterdir()} == {bundles.NAME, *listed}
    assert all(sha256[:12] in path for path, sha256 in listed.items())
    embedded = weights_file(EMBEDDED_BUNDLE, "encoder").read_bytes()
    assert weights_file(out, "encoder").read_bytes() == embedded
    with pytest.raises(SystemExit) as ended:
        main(["build", str(out)])
    assert ended.value.code == 2
    assert "--overwrite" in capsys.readouterr().err


def fail() -> None:
    raise ExportError("no")


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("end", "code"), [(fail, 1), (terminate, 143)])
def test_a_build_that_ends_early_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[], None], code: int
):
    written = []

    def export(job: ExportJob) -> None:
        written.extend(job.out.iterdir())
        end()

    monkeypatch.setattr(to_onnx, "export", export)
    with pytest.raises(SystemExit) as ended:
        main(["build", str(tmp_path / "bundle"), "--quiet"])
    assert ended.value.code == code
    assert written
    assert list(tmp_path.iterdir()) == []


def test_weights_altered_on_disk_stop_the_export(model: Model, encoder: Component, tmp_path: Path):
    """The written file is read back: here the checkpoint on disk is not the module's."""
    source = weights_file(EMBEDDED_BUNDLE, "encoder")
    data = bytearray(source.read_bytes())
    where = stored_tensors(source)["head.weight"].offset
    data[where + 1] ^= 0x80  # the sign of one fp16 weight
    (tmp_path / "encoder.safetensors").write_bytes(data)
    checkpoint = tmp_path / "encoder.safetensors"
    job = job_of(model, "encoder", Precision.FP32, tmp_path, checkpoint=checkpoint)
    with pytest.raises(ParityError, match=r"head\.weight"):
        to_onnx.export(job)


class Loud(torch.nn.Module):
    """Values in the middle that fp16 cannot hold, gone again at the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102 - the class tells
        return torch.tanh(torch.exp(x * 4.0) * 3e4 / 3e4)


def test_fp16_leaves_fallback_in_fp32_where_values_leave_its_range():
    dim = Dim("frames", 1, 512, 50)
    component = Component("loud", (Tensor("x", (1, dim, 4)),), (Tensor("y", ()),))
    graph, _ = trace(component, Loud())
    samples = [component.sample(33, seed=0)]
    half, fallback = onnx_fp16.to_fp16(graph, samples, floor_db=45.0)
    assert fallback
    assert len(fallback) < len(graph.graph.node)
    (wanted,), (got,) = onnx_fp16.run(graph, samples), onnx_fp16.run(half, samples)
    assert snr_db(wanted, got) >= 45.0
    # ONNX Runtime widens fp16 on a CPU, so no output shows an overflow there: ask the ranges.
    loud = {name for name, peak in onnx_fp16.peaks(graph, samples).items() if peak > 65_504}
    left = [node for node in graph.graph.node if node.name not in fallback]
    assert loud
    assert not loud & {name for node in left for name in [*node.input, *node.output]}


def test_only_what_is_larger_and_slower_and_no_nearer_is_left_out():
    embedded = ARTIFACTS["encoder"]

    def row(
        precision: str, size: int, ms: float | None, parity_db: float, component: str = "encoder"
    ) -> Measured:
        path = f"{component}.{precision}"
        kind = {**vars(embedded), "component": component, "precision": precision, "path": path}
        return Measured(type(embedded)(**kind), size, "ort", parity_db, ms)

    rows = [row("fp32", 40, 5.0, 130.0), row("fp16", 41, 6.1, 70.0), row("int8", 10, 9.0, 40.0)]
    assert list(dominated(rows)) == ["encoder.fp16"]
    assert "fp32" in dominated(rows)["encoder.fp16"]
    quick = [row("fp32", 40, 5.0, 130.0, "decoder"), row("fp16", 41, 3.0, 70.0, "decoder")]
    assert not dominated([*rows, *quick])  # a pipeline is whole or left out
    assert not dominated([rows[0], row("fp16", 41, 5.5, 70.0)])  # as quick, but for noise
    assert not dominated([rows[0], row("fp16", 41, None, 70.0)])  # never timed

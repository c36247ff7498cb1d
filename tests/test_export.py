"""What is exported computes what PyTorch computes: each part, and the whole chain."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from hiresldm.core import manifest as bundles
from hiresldm.core.errors import ExportError, ParityError, UsageError
from hiresldm.core.metrics import snr_db
from hiresldm.core.restorer import Restorer as CoreRestorer
from hiresldm.core.spec import Precision
from hiresldm.export import to_onnx
from hiresldm.export.build import build
from hiresldm.reference.components import components
from hiresldm.reference.model import PARTS, Model, load
from hiresldm.runtimes import on_ort, on_torch
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE, Restorer

MANIFEST = bundles.load(EMBEDDED_BUNDLE)
ARTIFACTS = {artifact.component: artifact for artifact in MANIFEST.artifacts}


@pytest.fixture(scope="module")
def model() -> Model:
    return load(EMBEDDED_BUNDLE)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("frames", [1, 33, 412], ids="{}-frames".format)
def test_a_part_matches_pytorch_at_lengths_that_were_not_traced(
    model: Model, part: str, frames: int
):
    component = next(c for c in components(model.config) if c.name == part)
    inputs = component.sample(frames, seed=frames)
    if "time" in inputs:
        inputs["time"] = np.array([0.37], np.float32)
    expected = on_torch.runner(component, component.build(model))(inputs)
    got = on_ort.load(ARTIFACTS[part], EMBEDDED_BUNDLE, threads=1)(inputs)
    for name, value in expected.items():
        assert got[name].shape == value.shape
        assert snr_db(value, got[name]) >= component.floor_db[Precision.FP32]


def test_the_whole_chain_matches_pytorch_on_real_speech(model: Model, noisy: np.ndarray):
    runners = {c.name: on_torch.runner(c, c.build(model)) for c in components(model.config)}
    reference = CoreRestorer(
        runners, MANIFEST.front, MANIFEST.sampler, default_steps=MANIFEST.default_steps
    )
    for samples in (4_801, 100_003, len(noisy)):
        wave = noisy[:samples]
        restored = Restorer.load(threads=1)(wave, 48_000, seed=3)
        assert snr_db(reference(wave, 48_000, seed=3), restored) >= 90.0


@pytest.mark.parametrize("part", PARTS)
def test_a_graph_is_clean_described_and_holds_no_weights_of_its_own(part: str):
    path = EMBEDDED_BUNDLE / ARTIFACTS[part].path
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path, load_external_data=False)
    facts = {prop.key: prop.value for prop in graph.metadata_props}
    assert facts["component"] == part
    assert facts["sample_rate"] == "48000"
    assert facts["hop_length"] == "480"
    assert not {node.op_type for node in graph.graph.node} & set(to_onnx.NEVER_IN_GRAPH)
    assert path.stat().st_size < 300_000
    assert b".py" not in path.read_bytes()  # no source paths of the machine that built it


def test_a_build_from_the_embedded_weights_gives_the_embedded_weights(tmp_path: Path):
    out = tmp_path / "bundle"
    manifest = build(EMBEDDED_BUNDLE, out, default_steps=2)
    bundles.verify(manifest, out)
    assert {a.data for a in manifest.artifacts} == {a.data for a in MANIFEST.artifacts}
    with pytest.raises(UsageError, match="--overwrite"):
        build(EMBEDDED_BUNDLE, out, default_steps=2)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise ExportError("no")

    monkeypatch.setattr(to_onnx, "export", fail)
    with pytest.raises(ExportError):
        build(EMBEDDED_BUNDLE, tmp_path / "bundle", default_steps=2)
    assert list(tmp_path.iterdir()) == []


def test_weights_altered_after_tracing_stop_the_export(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The gate reads the written files: here the checkpoint on disk is not what was traced."""
    component = next(c for c in components(model.config) if c.name == "encoder")
    data = bytearray((EMBEDDED_BUNDLE / "encoder.safetensors").read_bytes())
    where = to_onnx.stored_tensors(EMBEDDED_BUNDLE / "encoder.safetensors")["head.weight"].offset
    data[where + 1] ^= 0x80  # the sign of one fp16 weight
    (tmp_path / "encoder.safetensors").write_bytes(data)
    with pytest.raises(ParityError, match="dB"):
        to_onnx.export(component, model.encoder, Precision.FP32, tmp_path, front=model.config.front)
